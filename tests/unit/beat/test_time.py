"""The leader and the server's clock: a measurement that came late, a clock that is set forward or back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from crane_celery.model.node import NodeState
from crane_celery.model.states import State
from tests.unit.beat.fakes import Cluster
from tests.unit.beat.test_loop import after_ok

#: more than any message or heartbeat is good for
FAR_S = 600.0


def late(lag_s: float) -> Cluster:
    """A cluster whose leader's every measurement comes so late."""
    cluster = Cluster(node_timeout_s=1e6)
    cluster.far.lag_s = lag_s
    cluster.turns()
    return cluster


@pytest.mark.parametrize("lag_s", [0.05, 0.5])
def test_a_chain_goes_on_at_once_though_every_measurement_came_late(lag_s: float) -> None:
    cluster = late(lag_s)
    jobs = [cluster.submit()]
    for _ in range(5):
        jobs.append(cluster.submit(dep=after_ok(jobs[-1])))
    cluster.turns()
    for job, following in pairwise(jobs):
        before = cluster.clock.at
        cluster.end(job)
        cluster.far.lag_s = 0.0  # no time passes here: nothing but what events say can help
        cluster.turns(3)
        assert cluster.outbox.launched()[-1] == following and cluster.clock.at == before


@pytest.mark.parametrize("lag_s", [0.05, 0.5])
def test_a_begin_time_is_kept_though_the_first_measurement_came_late(lag_s: float) -> None:
    cluster = late(lag_s)
    cluster.far.lag_s = 0.0
    begin = cluster.store.now() + 17.3
    job = cluster.submit(begin=begin)
    cluster.far.sleeps = True
    while job not in cluster.outbox.launched():
        cluster.turns(1)
        assert cluster.clock.at < begin + 0.01
    assert cluster.clock.at >= begin - 1e-5


def test_a_time_that_is_near_is_waited_for_in_one_read() -> None:
    cluster = Cluster()
    cluster.turns()
    cluster.far.sleeps = True
    for more in (2.0, 3.4, 5.1):
        at = cluster.store.now() + more
        job = cluster.submit(begin=at)
        while job not in cluster.outbox.launched():
            cluster.turns(1)
        assert at - 1e-5 <= cluster.clock.at < at + 0.01
        cluster.end(job)


def pass_time(cluster: Cluster, seconds: int, *deaf: str) -> None:
    """Nodes are heard every second, but for these."""
    for _ in range(seconds):
        cluster.clock.at += 1.0
        for name in cluster.settings.nodes:
            node = cluster.store.node(name)
            if node is not None and name not in deaf:
                cluster.store.heartbeat(name, node.epoch, 1.0)
        cluster.turns(2)


def states(cluster: Cluster) -> set[NodeState]:
    return {node.state for node in cluster.store.nodes()}


@pytest.mark.parametrize("by_s", [-FAR_S, -45.0, 45.0, FAR_S])
def test_no_node_is_written_off_because_the_servers_clock_is_set(by_s: float) -> None:
    cluster = Cluster()
    job = cluster.submit(4)
    cluster.turns()
    cluster.begin(*range(job, job + 4))
    pass_time(cluster, 45)
    cluster.server_ahead_s += by_s
    for _ in range(9):  # and the leader looks before anybody is heard
        cluster.clock.at += 2.6
        cluster.turns(2)
    pass_time(cluster, 45)
    assert states(cluster) == {NodeState.UP}
    assert {element.state for element in cluster.store.elements()} == {State.RUNNING}


@pytest.mark.parametrize("by_s", [-FAR_S, FAR_S])
def test_a_silent_node_is_written_off_in_time_whatever_the_servers_clock_says(by_s: float) -> None:
    cluster = Cluster()
    cluster.turns()
    pass_time(cluster, 45)
    cluster.server_ahead_s += by_s
    pass_time(cluster, 20, "n1")
    assert states(cluster) == {NodeState.UP}
    pass_time(cluster, 22, "n1")
    assert {node.spec.name: node.state for node in cluster.store.nodes()} == {
        "n1": NodeState.DOWN,
        "n2": NodeState.UP,
    }


@pytest.mark.parametrize("by_s", [-FAR_S, FAR_S])
def test_what_is_submitted_after_the_clock_was_set_starts_and_is_accepted(by_s: float) -> None:
    cluster = Cluster()
    cluster.turns()
    pass_time(cluster, 15)
    cluster.server_ahead_s += by_s
    pass_time(cluster, 15)
    first = cluster.submit()
    second = cluster.submit(dep=after_ok(first))
    cluster.turns()
    cluster.end(first)
    cluster.turns()
    assert cluster.outbox.launched() == [first, second]
    assert all(0 < message.until - cluster.store.now() < 200 for message in cluster.outbox.sent)


def test_what_was_ready_before_the_clock_was_set_back_does_not_wait_for_it() -> None:
    cluster = Cluster(("n1",))
    first = cluster.submit(4)
    second = cluster.submit(dep=after_ok(first, 4))
    cluster.turns()
    blocker = cluster.submit(4)
    cluster.end(*range(first, first + 4))
    cluster.turns()
    assert blocker in cluster.outbox.launched() and second not in cluster.outbox.launched()
    cluster.server_ahead_s -= FAR_S
    pass_time(cluster, 15)
    cluster.end(blocker)
    cluster.turns()
    assert second in cluster.outbox.launched()


def test_a_begin_time_that_has_not_come_now_is_waited_for_again() -> None:
    cluster = Cluster(("n1",))
    full = cluster.submit(4)
    cluster.turns()
    begin = cluster.store.now() + 10
    job = cluster.submit(begin=begin)
    pass_time(cluster, 12)
    cluster.server_ahead_s -= FAR_S
    pass_time(cluster, 15)
    cluster.end(*range(full, full + 4))
    pass_time(cluster, 15)
    assert job not in cluster.outbox.launched()
    cluster.server_ahead_s += FAR_S
    pass_time(cluster, 2)
    assert job in cluster.outbox.launched()
