"""Stories of jobs, from what was told."""

from typing import Any

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.rows import element_row
from crane_celery.model.job import Allocation, Element, Job, JobSpec
from crane_celery.model.states import State
from crane_celery.service.query.story import Material, tell

SPEC = JobSpec(name="j", uid=1000, gid=1000, user="ada", partition="CPU", dependency="afterok:3")
PLAIN = Job(id=7, spec=SPEC, count=1, submitted_at=1.0, pending="")
ARRAY = Job(
    id=20,
    spec=JobSpec(name="a", uid=1000, gid=1000, user="ada", partition="CPU", array="0-198:2"),
    count=100,
    submitted_at=1.0,
    pending="",
)


def told(at: float, kind: str, ranks: str = "0", by: int = -1, **detail: Any) -> dict[str, Any]:
    return {"at": at, "kind": kind, "ranks": ranks, "detail": detail, "by_uid": by}


def run(number: int, at: float, state: State, code: int = 0, reason: str = "", again: int = 0) -> dict[str, Any]:
    element = Element(
        id=7,
        job=7,
        rank=0,
        run=number,
        state=state,
        allocation=(Allocation(node="n1", cpus=2.0, memory=1),),
        leased_at=at,
        began_at=at + 1,
        ended_at=at + 9,
        code=code,
        reason=reason,
    )
    return {**element_row(PLAIN, element), "again": again}


def test_a_whole_life_in_order() -> None:
    known = Material(
        PLAIN,
        RangeSet.span(0, 0),
        [
            told(2.0, "hold", by=1000, until=62.0),
            told(3.0, "judge", "", ready=3.0),
            told(4.0, "release", by=0),
            told(5.0, "update", time_limit=60, comment="", nodelist=["n1", "n2"]),
            told(12.0, "suspend"),
            told(13.0, "resume"),
            told(13.5, "suspend", by=1000),
            told(13.7, "resume", by=0),
            told(15.0, "kill", by=1001, signal=0, then="hold"),
            told(31.0, "kill", by=1001, signal=10),
            told(32.0, "kill", by=1000, signal=0),
        ],
        [run(2, 30.0, State.CANCELLED, 320, "terminated"), run(1, 10.0, State.FAILED, 3, again=2)],
    )
    assert tell(known) == [
        (1.0, "submitted by ada to CPU, waits for afterok:3"),
        (2.0, "held by ada for 00:01:00"),
        (3.0, "its dependency is met"),
        (4.0, "released by root"),
        (5.0, "changed: time_limit=60, comment=none, nodelist=n1,n2"),
        (10.0, "run 1 was given 2 CPUs on n1"),
        (11.0, "run 1 began"),
        (12.0, "suspended"),
        (13.0, "goes on"),
        (13.5, "suspended by ada"),
        (13.7, "resumed by root"),
        (15.0, "requeued and held by uid 1001: told to stop"),
        (19.0, "run 1 ended Failed, exit code 3, pending again and held"),
        (30.0, "run 2 was given 2 CPUs on n1"),
        (31.0, "sent USR1 by uid 1001"),
        (31.0, "run 2 began"),
        (32.0, "cancelled by ada: told to stop"),
        (39.0, "run 2 ended Cancelled (terminated)"),
    ]


def test_dependencies_and_ends_while_pending() -> None:
    words = [
        told(2.0, "judge", "", ready=62.0),
        told(3.0, "depend", "", dependency="after:5"),
        told(4.0, "depend", "", by=1000, dependency=""),
        told(5.0, "judge", "", ready=-2.0),
        told(6.0, "revive"),
        told(7.0, "cancel", by=0),
        told(8.0, "expire", state="Deadline", code=330, reason="too late"),
        told(9.0, "of the future"),
    ]
    assert [text for _, text in tell(Material(PLAIN, RangeSet.span(0, 0), words))][1:] == [
        "its dependency is met, it may start 00:01:00 later",
        "waits for after:5",
        "waits for no other job any more, changed by ada",
        "its dependency can never be met",
        "requeued: what had ended is pending again",
        "cancelled by root while pending",
        "ended Deadline while pending (too late)",
        "of the future",
    ]


def test_an_array_is_summed_up() -> None:
    sums = [
        {"state": "Completed", "again": 0, "count": 98, "leased_at": 4.0, "ended_at": 9.0},
        {"state": "Failed", "again": 1, "count": 1, "leased_at": 5.0, "ended_at": 6.0},
    ]
    known = Material(ARRAY, RangeSet.span(0, 99), [told(3.0, "hold", "1-3"), told(3.5, "release", "0-99")], (), sums)
    assert tell(known) == [
        (1.0, "submitted by ada to CPU, 100 elements 0-198:2"),
        (3.0, "20_[2,4,6]: held"),
        (3.5, "released"),
        (4.0, "the first of its runs was given its node"),
        (6.0, "the last of 1 run that ended Failed, pending again"),
        (9.0, "the last of 98 runs that ended Completed"),
    ]
    one = tell(known._replace(ranks=RangeSet.span(2, 2), sums=()))
    assert [text for _, text in one[1:]] == ["held", "released"]
