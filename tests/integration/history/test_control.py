"""Test what is done to jobs, from a real event stream into a real database."""

import pytest

from crane_celery.errors import NotFound
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.history.api import Query
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.model.dependency import Block, Resolved, encode
from crane_celery.service.query.story import Sources, stories
from crane_celery.store.api import Moved, Report, Requeue
from tests.support.site import Site


@pytest.fixture
def recorder(site: Site, filing: Filing) -> Recorder:
    """Files the site's events."""
    return Recorder(site.store, filing)


def drain(recorder: Recorder) -> None:
    """File all there is."""
    while recorder.step(0.0):
        pass


def shown(history: SqlHistory, job: int) -> list[tuple[str, int, str]]:
    rows = history.query(Query(selectors=parse_selectors(str(job)), steps=False))
    return [(row["jobid"], row["run"], row["state"]) for row in rows]


def kinds(history: SqlHistory, job: int) -> list[tuple[str, str]]:
    return [(row["kind"], row["ranks"]) for row in history.told(job)]


@pytest.mark.parametrize("often", [True, False], ids=["filed as it happens", "filed at once"])
def test_every_run_of_a_requeued_element_is_kept(
    site: Site, recorder: Recorder, history: SqlHistory, often: bool
) -> None:
    job = site.submit(count=2)
    site.start(job, 0, 1)
    site.store.requeue(job, "0", Requeue(hold=True))
    if often:
        drain(recorder)
    site.end(job, job + 1, code=1)
    if often:
        drain(recorder)
        assert history.counts(job) == {"Failed": 1}
        assert [row["count"] for row in history.usage(parse_selectors(str(job)), RangeSet.span(job, job))] == [1]
    site.store.hold(job, "0", False)
    site.start(job, 0, run=2, node="n2")
    site.end(job, run=2, node="n2")
    drain(recorder)
    assert shown(history, job) == [(f"{job}_1", 1, "Failed"), (f"{job}_0", 2, "Completed"), (f"{job}_0", 1, "Failed")]
    assert history.counts(job) == {"Completed": 1, "Failed": 1}
    assert [row["run"] for row in history.runs(RangeSet.span(job, job))] == [2, 1]
    assert sum(row["count"] for row in history.usage(parse_selectors(str(job)), RangeSet())) == 2
    assert kinds(history, job) == [("kill", "0"), ("release", "0")]
    assert history.told(job)[0]["detail"] == {"signal": 0, "then": "hold"}
    sums = sorted((row["state"], row["again"], row["count"]) for row in history.sums(RangeSet.span(job, job + 1)))
    assert sums == [("Completed", 0, 1), ("Failed", 0, 1), ("Failed", 2, 1)]


@pytest.mark.parametrize("often", [True, False], ids=["filed as it happens", "filed at once"])
def test_ends_that_are_taken_back(
    site: Site, recorder: Recorder, filing: Filing, history: SqlHistory, often: bool
) -> None:
    job = site.ran(count=3)
    if often:
        drain(recorder)
        assert filing.unfinished() == set()
    site.store.requeue(job, "0-1")
    if often:
        drain(recorder)
        assert filing.unfinished() == {job} and history.counts(job) == {"Completed": 1}
        assert filing.filed_ranks(job, 3) == RangeSet.span(2, 2)
    site.store.cancel(job, "1", 1000)
    if often:
        drain(recorder)
        assert history.counts(job) == {"Completed": 1, "Cancelled": 1}
    site.store.requeue(job, "1", Requeue(hold=True))
    site.store.cancel(job, "1", 1001)
    site.start(job, 0, run=2)
    site.end(job, run=2, code=3)
    drain(recorder)
    assert history.counts(job) == {"Completed": 1, "Cancelled": 1, "Failed": 1}
    assert filing.unfinished() == set()
    assert (f"{job}_1", 0, "Cancelled") in shown(history, job) and len(shown(history, job)) == 5
    told = history.told(job)
    assert [(row["kind"], row["ranks"], row["by_uid"]) for row in told] == [
        ("revive", "0-1", -1),
        ("cancel", "1", 1000),
        ("revive", "1", -1),
        ("cancel", "1", 1001),
    ]
    assert told[2]["detail"] == {"held": 1}


def test_what_was_changed_is_in_force(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    plain, array = site.submit(name="old"), site.submit(count=3, name="old")
    drain(recorder)
    site.store.update(plain, "", {"name": "new", "time_limit": 60, "priority": 7})
    site.store.update(array, "1", {"time_limit": 90})
    site.start(plain, 0)
    site.start(array, 0, 1, 2)
    site.end(plain, array, array + 1)
    site.store.update(array, "2", {"comment": "late"})
    site.end(array + 2)
    drain(recorder)
    rows = history.query(Query(names=("new",), steps=False))
    assert [(row["id"], row["name"], row["time_limit"], row["priority"]) for row in rows] == [(plain, "new", 60, 7)]
    rows = history.query(Query(names=("old",), steps=False))
    assert [(row["rank"], row["time_limit"], row["comment"]) for row in rows] == [
        (2, None, "late"),
        (1, 90, ""),
        (0, None, ""),
    ]
    assert [row["detail"] for row in history.told(array)] == [{"time_limit": 90}, {"comment": "late"}]
    found = history.job(array + 1)
    assert found and found.changes and found.id == array


def test_what_was_renamed_is_found_by_its_name(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    array, part = site.submit(count=3, name="old"), site.submit(count=2, name="old")
    site.store.update(array, "1", {"time_limit": 90})
    site.store.update(array, "", {"name": "new"})
    site.store.update(part, "1", {"name": "new"})
    site.start(array, 0, 1, 2)
    site.start(part, 0, 1)
    site.end(array, array + 1, array + 2, part, part + 1)
    drain(recorder)

    def found(name: str) -> list[int]:
        return [row["id"] for row in history.query(Query(names=(name,), steps=False))]

    assert found("new") == [array + 2, array + 1, array]
    assert found("old") == [part]  # what of an array was renamed is found by its id


def test_another_dependency(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    first, second = site.submit(), site.submit()
    block = Block("afterok", first, first, 1, 0, f"afterok:{first}")
    assert site.store.depend(second, f"afterok:{first}", encode(Resolved(False, ((block,),))))
    assert site.store.depend(second, "", "")
    drain(recorder)
    assert [row["detail"] for row in history.told(second)] == [{"dependency": f"afterok:{first}"}, {"dependency": ""}]
    found = history.job(second)
    assert found and found.changes


def test_elements_that_the_leader_ended(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    job = site.submit(count=4)
    site.store.cancel(job, "0", 1000)
    site.store.expire(site.fence, job, "1-2", "Deadline", 330, "its deadline has passed")
    drain(recorder)
    assert history.counts(job) == {"Cancelled": 1, "Deadline": 2}
    (late, _) = history.query(Query(states=("Deadline",)))
    assert (late["jobid"], late["code"], late["reason"], late["run"]) == (
        f"{job}_2",
        330,
        "its deadline has passed",
        0,
    )
    groups = history.usage(parse_selectors(str(job)), RangeSet())
    assert sorted((row["state"], row["code"], row["count"]) for row in groups) == [
        ("Cancelled", 320, 1),
        ("Deadline", 330, 2),
    ]
    assert kinds(history, job) == [("cancel", "0"), ("expire", "1-2")]


def test_what_happens_beside_runs_is_told(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    job = site.submit(count=1_000_000)
    site.store.hold(job, "10-999999", True, until=4102444800.0)
    site.start(job, 0, 1, 2)
    site.begin(job, job + 1, job + 2)
    drain(recorder)
    for number, state in enumerate(("Suspended", "Running")):
        for rank in (0, 1):
            site.store.order(job + rank, 1, {"suspend": 1 - number}, (1002, -1)[rank])
        moved = [Moved(job + rank, 1, state, site.store.now()) for rank in (0, 1)]
        site.store.report("n1", site.epochs["n1"], Report(moved=moved))
    site.store.cancel(job, "1-2", 1001)
    site.store.cancel(job, "2", 1001, signal=10)
    drain(recorder)
    told = history.told(job)
    assert [(row["kind"], row["ranks"], row["by_uid"]) for row in told] == [
        ("hold", "10-999999", -1),
        *(("suspend", "0", 1002), ("suspend", "1", -1)),
        *(("resume", "0", 1002), ("resume", "1", -1)),
        ("kill", "1-2", 1001),
        ("kill", "2", 1001),
    ]
    assert told[0]["detail"] == {"until": 4102444800.0} and told[6]["detail"] == {"signal": 10}
    assert [row["at"] for row in told] == sorted(row["at"] for row in told)
    assert history.told(job + 1) == []


def test_what_people_held_is_summed_up_by_user(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    site.ran(user="bob", uid=1001)
    half_life = 7 * 86400.0
    for _ in range(2):
        site.ran(count=3)
        drain(recorder)
    rows = history.query(Query(limit=0))
    now = max(row["ended_at"] for row in rows) + half_life
    expected: dict[int, float] = {}
    for row in rows:
        held = (row["ended_at"] - row["leased_at"]) * row["alloc_cpus"]
        expected[row["uid"]] = expected.get(row["uid"], 0.0) + held * 2 ** (-(now - row["ended_at"]) / half_life)
    assert history.held_by_uid(now, half_life) == pytest.approx(expected, rel=1e-4)
    for half_life in (3600.0, 0.0):  # not the one that is kept: from the runs
        found = history.held_by_uid(rows[0]["ended_at"], half_life)
        assert found.keys() == expected.keys() and all(each > 0 for each in found.values())


def test_sums_are_made_anew_for_another_half_life(
    site: Site, url: str, recorder: Recorder, history: SqlHistory
) -> None:
    from crane_celery.history.engine import Database

    site.ran(count=3)
    drain(recorder)
    now = site.store.now()
    before = history.held_by_uid(now, 5.0)
    database = Database(url)
    drain(other := Recorder(site.store, Filing(database, 5.0)))
    site.ran()
    drain(other)
    database.close()
    after = history.held_by_uid(now, 5.0)
    assert before[1000] > 0 and after[1000] >= before[1000] * 0.999


def test_a_story_long_after_the_stream_was_trimmed(site: Site, recorder: Recorder, history: SqlHistory) -> None:
    store, job = site.store, site.submit(count=3)
    store.hold(job, "2", True)
    store.update(job, "0", {"comment": "mine"})
    site.start(job, 0, 1)
    drain(recorder)
    sources = Sources(store, history)
    live = {job: store.elements()}
    (running,) = stories(parse_selectors(f"{job}_0"), sources, live)
    assert [text for _, text in running["events"]][1:] == [
        "changed: comment=mine",
        "run 1 was given 1 CPUs on n1",
    ]
    site.end(job, job + 1, code=1)
    store.cancel(job, "", 1000)
    drain(recorder)
    before = stories(parse_selectors(f"{job},{job}_2"), sources, {})
    store.set_cursor("leader", store.last_event())
    store.trim()
    assert store.forget(site.fence, store.now() + 1, 10).jobs == 1 and store.find(job) is None
    after = stories(parse_selectors(f"{job},{job}_2"), sources, {})
    assert after == before
    assert [text for _, text in after[1]["events"]] == [
        "submitted by ada to CPU, 3 elements 0-2",
        "held",
        "cancelled by ada while pending",
    ]
    with pytest.raises(NotFound, match="4711"):
        stories(parse_selectors("4711"), sources, {})
