"""The leader's loop over a store in memory and a clock that is told the time."""

from __future__ import annotations

import pytest

from crane_celery.errors import StaleFence, Unreachable
from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.model.node import NodeState, Partition
from tests.unit.beat.fakes import Cluster


def after_ok(job: int, count: int = 1, delay: int = 0) -> str:
    return encode(Resolved(False, ((Block("afterok", job, job, count, delay, f"afterok:{job}"),),)))


def test_a_submission_is_committed_and_sent_once() -> None:
    cluster = Cluster()
    job = cluster.submit(3)
    cluster.turns()
    assert cluster.outbox.launched() == [job, job + 1, job + 2] and len(cluster.outbox.sent) == 1
    message = cluster.outbox.sent[0]
    assert message.node == "n1" and message.epoch == 1 and message.fence == 1 and message.until > cluster.clock()
    assert message.jobs[str(job)] == cluster.store.jobs([job])[0].spec
    assert [launch.array_index for launch in message.launches] == [0, 1, 2]


def test_one_message_per_node_and_turn() -> None:
    cluster = Cluster()
    cluster.submit(8)
    cluster.turns()
    assert sorted(message.node for message in cluster.outbox.sent) == ["n1", "n2"]


def test_a_job_of_two_partitions_starts_in_the_first_that_has_room() -> None:
    cluster = Cluster(
        ("n1", "n2"),
        partitions={"main": Partition(name="main", nodes=("n1",)), "other": Partition(name="other", nodes=("n2",))},
    )
    choices = '[{"partition":"main"},{"partition":"other"}]'
    jobs = [cluster.submit(cpus_per_task=4.0, choices=choices) for _ in range(3)]
    cluster.turns()
    first, second, third = (cluster.store.elements([job]) for job in jobs)
    assert [first[0].allocation[0].node, second[0].allocation[0].node, third] == ["n1", "n2", []]
    launched = {message.node: message.jobs for message in cluster.outbox.sent}
    assert [each.partition for each in launched["n2"].values()] == ["other"]
    cluster.begin(*jobs[:2])
    cluster.end(jobs[1])
    cluster.turns()
    assert cluster.store.elements([jobs[2]])[0].allocation[0].node == "n2"


def test_a_shape_that_cannot_be_read_stops_nobody() -> None:
    cluster = Cluster(("n1",))
    broken = [cluster.submit(cpus_per_task=4.0, choices="{") for _ in range(2)]
    cluster.turns()
    assert cluster.outbox.launched() == broken[:1]
    cluster.begin(broken[0])
    cluster.end(broken[0])
    cluster.turns()
    assert cluster.outbox.launched() == broken


def test_ends_make_room() -> None:
    cluster = Cluster(("n1",))
    job = cluster.submit(6)
    cluster.turns()
    assert cluster.outbox.launched() == list(range(job, job + 4))
    cluster.begin(job, job + 1)
    cluster.end(job, job + 1)
    cluster.turns()
    assert cluster.outbox.launched() == list(range(job, job + 6))


def test_it_never_waits_for_less_than_a_second_nor_beyond_the_renewal() -> None:
    cluster = Cluster()
    waits = set()
    for _ in range(30):
        cluster.leader.turn()
        waits.add(cluster.store.waited)
        cluster.clock.at += 0.3
    assert all(wait == 0.0 or 1.0 <= wait <= 5.0 / 3 for wait in waits) and max(waits) > 1.0


def test_a_chain_of_dependencies() -> None:
    cluster = Cluster()
    first = cluster.submit()
    second = cluster.submit(dep=after_ok(first))
    third = cluster.submit(dep=after_ok(second))
    for job in (first, second, third):
        cluster.turns()
        assert cluster.outbox.launched()[-1] == job
        cluster.end(job)


def test_a_delay_is_waited_for() -> None:
    cluster = Cluster(node_timeout_s=1000.0)
    first = cluster.submit()
    second = cluster.submit(dep=after_ok(first, delay=60))
    cluster.turns()
    cluster.end(first)
    for _ in range(58):
        cluster.turns(2)
        cluster.clock.at += 1.0
    assert cluster.outbox.launched() == [first]
    for _ in range(3):
        cluster.clock.at += 1.0
        cluster.turns(2)
    assert cluster.outbox.launched() == [first, second]


def test_what_can_never_start_does_not() -> None:
    cluster = Cluster()
    first = cluster.submit()
    second = cluster.submit(dep=after_ok(first))
    cluster.turns()
    cluster.end(first, state="Failed", code=1)
    cluster.turns()
    assert cluster.outbox.launched() == [first] and cluster.store.jobs([second])[0].ready == -2.0


def test_many_questions_are_drained_in_chunks() -> None:
    cluster = Cluster(("n1",))
    first = cluster.submit()
    waiting = [cluster.submit(dep=after_ok(first)) for _ in range(450)]
    cluster.turns()
    cluster.end(first)
    cluster.turns(8)
    assert all(job.ready > 0 for job in cluster.store.jobs(waiting))


def test_hold_and_release() -> None:
    cluster = Cluster()
    job = cluster.submit(held=True)
    cluster.turns()
    assert cluster.outbox.launched() == []
    cluster.store.hold(job, "", False)
    cluster.turns()
    assert cluster.outbox.launched() == [job]


def test_a_cancel_reaches_the_node_behind_the_launch() -> None:
    cluster = Cluster()
    job = cluster.submit()
    cluster.turns()
    cluster.store.cancel(job, "", 1000)
    cluster.turns()
    assert [tuple(kill) for kill in cluster.outbox.sent[-1].kills] == [(job, 1, 0, 1)]
    cluster.store.nudge("n1")
    cluster.turns()
    assert cluster.outbox.sent[-1].launches[0].cancelled


def test_a_nudge_sends_again_what_stands_unanswered() -> None:
    cluster = Cluster(("n1",))
    job = cluster.submit(3)
    cluster.turns()
    cluster.begin(job)
    cluster.store.nudge("n1")
    cluster.turns()
    assert cluster.outbox.launched() == [job, job + 1, job + 2, job + 1, job + 2]
    nonces = [message.nonce for message in cluster.outbox.sent]
    assert len(set(nonces)) == len(nonces)


def test_what_could_not_be_published_is_sent_when_it_can_be() -> None:
    cluster = Cluster()
    cluster.turns()
    cluster.outbox.down = True
    job = cluster.submit()
    cluster.turns()
    assert cluster.outbox.launched() == [] and cluster.leader.leads
    cluster.outbox.down = False
    cluster.turns()
    assert cluster.outbox.launched() == [job]


def test_a_commit_whose_answer_was_lost_is_sent_all_the_same() -> None:
    cluster = Cluster()
    cluster.turns()
    job = cluster.submit(4)
    cluster.store.fails = Unreachable("the connection broke")
    cluster.turns(1)
    assert cluster.outbox.launched() == []
    cluster.turns()
    assert sorted(cluster.outbox.launched()) == [job, job + 1, job + 2, job + 3]


def test_a_refused_start_is_planned_again_elsewhere() -> None:
    cluster = Cluster()
    cluster.turns()
    job = cluster.submit()
    cluster.store.meanwhile = lambda: cluster.store.set_node("n1", NodeState.DRAIN, "broken")
    cluster.turns()
    assert [message.node for message in cluster.outbox.sent] == ["n2"] and cluster.outbox.launched() == [job]


def test_refusals_that_nothing_explains_make_it_read_everything_again_and_not_spin() -> None:
    cluster = Cluster()
    cluster.turns()
    cluster.submit()
    cluster.store.stubborn = True
    pauses = [cluster.leader.turn() for _ in range(12)]
    assert pauses.count(1.0) >= 3 and cluster.store.starts <= 12 and cluster.leader.leads


def test_a_gap_in_the_stream_is_noticed() -> None:
    cluster = Cluster()
    cluster.turns()
    job = cluster.submit()
    cluster.store.nudge("n2")
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    cluster.store.set_cursor("leader", cluster.store.last_event())
    assert cluster.store.trim()
    cluster.clock.at += 3.0
    cluster.turns()
    assert cluster.outbox.launched() == [job]


@pytest.mark.parametrize("error", [StaleFence("x"), Unreachable("x"), ValueError("x")])
def test_no_error_ends_it(error: Exception) -> None:
    cluster = Cluster()
    cluster.turns()
    cluster.store.deaf = error
    pauses = [cluster.leader.turn() for _ in range(8)]
    assert all(0 < pause <= 5.0 for pause in pauses)
    cluster.store.deaf = None
    job = cluster.submit()
    cluster.turns()
    assert cluster.outbox.launched() == [job]
