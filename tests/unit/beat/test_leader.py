"""One leads, others stand by; what a leader leaves behind the next one finishes."""

from __future__ import annotations

from beat.leader import TTL_S
from tests.unit.beat.fakes import Cluster, FakeOutbox


def test_one_leads_and_the_other_waits_a_second_at_least() -> None:
    cluster = Cluster()
    other = cluster.scheduler("two", FakeOutbox())
    cluster.turns(1)
    pause = other.turn()
    assert cluster.leader.leads and not other.leads and pause >= 1.0


def test_a_dead_leader_is_replaced_within_ten_seconds_and_its_leases_are_sent_again() -> None:
    cluster = Cluster()
    outbox = FakeOutbox()
    other = cluster.scheduler("two", outbox)
    cluster.turns()
    cluster.outbox.down = True
    job = cluster.submit(2)
    cluster.turns()
    waited = 0.0
    while not other.leads:
        pause = other.turn() or 0.0
        waited += pause
        cluster.clock.at += pause
    assert TTL_S * 2 / 3 <= waited < 10.0
    for _ in range(3):
        other.turn()
    assert outbox.launched() == [job, job + 1] and outbox.sent[0].fence == 2


def test_a_leader_that_comes_back_stands_by_and_starts_nothing() -> None:
    cluster = Cluster()
    outbox = FakeOutbox()
    other = cluster.scheduler("two", outbox)
    cluster.turns()
    cluster.clock.at += TTL_S + 1
    other.turn()
    job = cluster.submit()
    cluster.leader._lease._due = cluster.clock.at + 1  # it believes that it still leads
    cluster.leader.turn()
    cluster.leader.turn()
    assert not cluster.leader.leads and cluster.outbox.launched() == []
    for _ in range(3):
        other.turn()
    assert outbox.launched() == [job]


def test_closing_twice_resigns_and_the_next_one_takes_over_at_once() -> None:
    cluster = Cluster()
    outbox = FakeOutbox()
    other = cluster.scheduler("two", outbox)
    cluster.turns()
    cluster.leader.close()
    cluster.leader.close()
    other.turn()
    assert other.leads and cluster.outbox.closed


def test_a_standby_that_closes_takes_nothing_from_the_leader() -> None:
    cluster = Cluster()
    other = cluster.scheduler("two", FakeOutbox())
    cluster.turns()
    other.turn()
    other.close()
    assert cluster.store.lead("three", 5.0) == 0


def test_two_schedulers_in_turn_start_everything_exactly_once() -> None:
    cluster = Cluster()
    outboxes = [cluster.outbox, FakeOutbox()]
    leaders = [cluster.leader, cluster.scheduler("two", outboxes[1])]
    job = cluster.submit(40)
    ended: set[int] = set()
    for number in range(60):
        leader = leaders[number // 7 % 2]
        if number % 7 == 0:
            cluster.clock.at += TTL_S + 1
        for _ in range(3):
            leader.turn()
        holding = {element.id for element in cluster.store.elements()}
        assert not holding & ended
        if number % 2:
            cluster.end(*holding)
            ended |= holding
    assert ended == set(range(job, job + 40))
