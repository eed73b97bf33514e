"""Silent nodes are written off, unless it was the server, or we, that were away."""

from __future__ import annotations

from crane_celery.model.node import NodeState
from crane_celery.model.states import NODE_DOWN
from tests.unit.beat.fakes import Cluster


def pass_time(cluster: Cluster, seconds: int, *heard: str) -> None:
    for _ in range(seconds):
        cluster.clock.at += 1.0
        for name in heard:
            node = cluster.store.node(name)
            assert node is not None
            cluster.store.heartbeat(name, node.epoch, 1.0)
        cluster.turns(2)


def state(cluster: Cluster, name: str) -> NodeState:
    node = cluster.store.node(name)
    assert node is not None
    return node.state


def test_a_silent_node_is_written_off_and_its_runs_end() -> None:
    cluster = Cluster()
    job = cluster.submit(4)
    cluster.turns()
    pass_time(cluster, 29, "n2")
    assert state(cluster, "n1") is NodeState.UP
    pass_time(cluster, 15, "n2")
    assert state(cluster, "n1") is NodeState.DOWN and state(cluster, "n2") is NodeState.UP
    ended = [event for event in cluster.store.events("0", 0.0, 10_000) if event.kind == "again"]
    assert {row[5] for event in ended for row in event.data["rows"]} == {NODE_DOWN}
    assert all(part.node == "n2" for e in cluster.store.elements() for part in e.allocation)
    later = cluster.submit()
    cluster.turns()
    assert cluster.outbox.sent[-1].node == "n2" and job in cluster.outbox.launched() and later > job


def test_after_a_pause_of_ours_nodes_get_the_time_to_be_heard() -> None:
    cluster = Cluster()
    pass_time(cluster, 31, "n1", "n2")
    cluster.clock.at += 100.0
    pass_time(cluster, 20)
    assert state(cluster, "n1") is NodeState.UP
    pass_time(cluster, 20)
    assert state(cluster, "n1") is NodeState.DOWN


def test_what_is_over_leaves_after_the_window_once_filed() -> None:
    cluster = Cluster(window_s=60.0)
    job = cluster.submit()
    cluster.turns()
    cluster.end(job)
    pass_time(cluster, 100, "n1", "n2")
    assert cluster.store.job(job) is not None
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    pass_time(cluster, 11, "n1", "n2")
    assert cluster.store.job(job) is None


def test_the_stream_is_trimmed_behind_the_slower_of_both() -> None:
    cluster = Cluster()
    cluster.store.set_cursor("recorder", "0")
    for _ in range(5):
        cluster.submit()
    pass_time(cluster, 12, "n1", "n2")
    kept = len(cluster.store.events("0", 0.0, 10_000))
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    cluster.submit()
    pass_time(cluster, 12, "n1", "n2")
    assert len(cluster.store.events("0", 0.0, 10_000)) < kept
