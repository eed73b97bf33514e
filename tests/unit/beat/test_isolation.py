"""One bad record, event or chore never stops the scheduler: it is recorded and passed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crane_celery import faults
from crane_celery.model.event import Event
from crane_celery.model.event_checks import UNREADABLE
from crane_celery.model.node import Partition
from crane_celery.sched.culprits import MOST, culprits
from crane_celery.sched.queue import Kind
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.want import Want
from tests.unit.beat.fakes import Cluster

pytestmark = pytest.mark.usefixtures("recorded")


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[None]:
    """Record faults in the test's folder only."""
    before = faults._recorder.path, faults._recorder.process, dict(faults._recorder.counts)
    faults._recorder.counts.clear()
    faults.keep_in(str(tmp_path), "beat")
    yield
    faults._recorder.path, faults._recorder.process = before[:2]
    faults._recorder.counts.clear()
    faults._recorder.counts.update(before[2])


def said(folder: Path) -> str:
    return "\n".join(fault.item for fault in faults.recorded(str(folder)))


def inject(cluster: Cluster, kind: str, data: Any) -> None:
    """Let the next read of events bring one more, ahead of the others."""
    cluster.store.injected = [Event("0-0", cluster.clock(), kind, data)]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("end", {"rows": [[1, 2]]}),
        ("end", {}),
        ("submit", {"job": {"id": "x"}}),
        ("node", {"node": None}),
        ("judge", {"rows": [[1, 2]], "deps": ["", ""]}),
        ("start", {"rows": [[900, 901]]}),
        ("kill", {"rows": 5}),
    ],
)
def test_a_bad_event_costs_no_other_event(tmp_path: Path, kind: str, data: Any) -> None:
    cluster = Cluster()
    cluster.turns()
    inject(cluster, kind, data)
    job = cluster.submit()
    cluster.turns(3)
    assert cluster.outbox.launched() == [job]
    assert cluster.leader.leads
    assert "passes over an event" in said(tmp_path)
    assert kind in said(tmp_path)


def test_a_stream_of_bad_events_does_not_keep_the_leader_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    cluster.turns()
    read = []
    snapshot = cluster.store.snapshot
    monkeypatch.setattr(cluster.store, "snapshot", lambda: read.append(1) or snapshot())
    for _ in range(20):
        inject(cluster, "end", {"rows": [[1, 2]]})
        cluster.turns(3)
        cluster.clock.at += 1
    assert len(read) == 1
    cluster.clock.at += 30
    cluster.turns(3)
    assert len(read) == 2


def test_after_an_event_that_could_not_be_read_the_whole_state_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    cluster.turns()
    read = []
    snapshot = cluster.store.snapshot
    monkeypatch.setattr(cluster.store, "snapshot", lambda: read.append(1) or snapshot())
    inject(cluster, UNREADABLE, {"kind": "end", "rows": [[1, 2]]})
    job = cluster.submit()
    cluster.turns(3)
    assert read
    assert cluster.outbox.launched() == [job]


def test_a_bad_record_of_the_snapshot_costs_no_other_job(tmp_path: Path) -> None:
    cluster = Cluster(register=True)
    bad = cluster.submit(gres={"gpu:a": "many"})
    good = cluster.submit()
    cluster.turns()
    assert cluster.outbox.launched() == [good]
    assert f"job {bad}" in said(tmp_path)
    more = cluster.submit()
    cluster.turns()
    assert cluster.outbox.launched() == [good, more]


def test_what_a_job_that_is_passed_over_holds_is_not_free() -> None:
    cluster = Cluster(("n1",))
    jobs = [cluster.submit(cpus_per_task=2.0), cluster.submit(cpus_per_task=2.0)]
    cluster.turns()
    cluster.begin(*jobs)
    shot = cluster.store.snapshot()
    partitions = {"main": Partition(name="main", nodes=("n1",))}
    view = view_of(partitions, shot.now, shot.jobs[1:], shot.elements, shot.nodes)
    assert view.pool.cpu == [0]
    cluster.end(jobs[0])
    for event in cluster.store.events(shot.seq, 0.0, 100):
        view.apply(event)
    assert view.pool.cpu == [2000]
    assert view.take_todo().plan


def test_a_job_that_makes_planning_fail_costs_no_other_job(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster()
    cluster.turns()
    bad = [cluster.submit(constraint="(("), cluster.submit(constraint="a&&|b", cpus_per_task=2.0)]
    good = cluster.submit()
    cluster.turns(6)
    assert cluster.outbox.launched() == [good]
    assert all(f"passes over jobs {job}:" in caplog.text for job in bad)
    assert f"passes over jobs {bad[0]}:" in said(tmp_path) or f"passes over jobs {bad[1]}:" in said(tmp_path)
    more = cluster.submit(2)
    cluster.turns(6)
    assert cluster.outbox.launched() == [good, more, more + 1]


def test_a_chore_that_fails_costs_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()

    def fail(*_args: object) -> None:
        raise ZeroDivisionError("a defect of ours")

    def fail_too(*_args: object) -> None:
        raise IndexError("another")

    monkeypatch.setattr(cluster.store, "questions", fail)
    monkeypatch.setattr(cluster.store, "forget", fail_too)
    job = cluster.submit()
    cluster.turns()
    cluster.begin(job)
    for _ in range(15):
        cluster.clock.at += 1
        cluster.turns(1)
    more = cluster.submit()
    cluster.turns()
    assert cluster.outbox.launched() == [job, more]
    assert "asking about dependencies failed" in said(tmp_path)
    assert "a chore of the leader failed" in said(tmp_path)


def kinds(count: int) -> list[Kind]:
    return [Kind(0.0, None, uid, Want("main", 1, 1000, 0)) for uid in range(count)]


@pytest.mark.parametrize("bad", [[], [0], [99], [3, 50, 51, 98]])
def test_culprits_are_found_by_halving(bad: list[int]) -> None:
    everything, tries = kinds(100), []

    def attempt(without: frozenset[Kind]) -> None:
        tries.append(1)
        if any(everything[at] not in without for at in bad):
            raise ValueError("bad")

    assert set(culprits(attempt, everything)) == {everything[at] for at in bad}
    assert len(tries) <= 1 + 3 * 8 * max(1, len(bad))


def test_classes_that_fail_in_company_are_found_together_and_the_search_is_bounded() -> None:
    two = kinds(2)

    def attempt(without: frozenset[Kind]) -> None:
        if not without & set(two):
            raise ValueError("bad")

    assert set(culprits(attempt, two)) == set(two)

    def never(_without: frozenset[Kind]) -> None:
        raise ValueError("bad")

    assert MOST <= len(culprits(never, kinds(1000))) < 1000
