"""Events become what is to be written."""

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.batch import Cancelled, Revived, fold
from crane_celery.model.asjson import job_to_json, step_to_json
from crane_celery.model.event import Event, Position
from crane_celery.model.job import Job, JobSpec, StepRow
from crane_celery.model.states import State

JOB = Job(
    id=7, spec=JobSpec(name="a", uid=1, gid=1, user="ada", array="0-9"), count=10, submitted_at=5.0, pending="0-9"
)


def event(kind: str, at: float = 9.0, **data: object) -> Event:
    return Event("1-1", at, kind, data)


def end(id: int, run: int, code: int = 0, done: bool = False) -> list[object]:
    return [id, 7, id - 7, run, "Completed" if not code else "Failed", code, 6.0, 8.0, "", 0.5, 1024, done]


def test_a_whole_life() -> None:
    batch = fold(
        [
            event("submit", job=job_to_json(JOB)),
            event("start", at=5.5, fence=1, rows=[[8, 7, 1, 1, [["n1", 1.0, 64, {}]]]]),
            event("begin", node="n1", rows=[[8, 7, 1, 6.0]]),
            event("end", node="n1", rows=[end(8, 1)]),
        ]
    )
    assert batch.submissions == {7: JOB}
    assert batch.started[8, 1].leased_at == 5.5
    assert batch.finished[8, 1].state == State.COMPLETED
    assert not batch.done


def test_the_first_report_of_an_end_counts() -> None:
    batch = fold([event("end", node="n", rows=[end(8, 1, 3), end(8, 1, 0), end(8, 2, 0)])])
    assert batch.finished[8, 1].code == 3
    assert batch.finished[8, 2].code == 0


def test_a_cancel_is_one_row_whatever_its_ranks() -> None:
    batch = fold([event("cancel", at=3.0, job=7, ranks="0-4,8", uid=0, done=True)])
    assert batch.cancelled == [Cancelled(7, RangeSet.parse("0-4,8"), 3.0, 0)]
    assert batch.done == {7: 3.0}


def test_a_requeue_takes_back_what_was_cancelled_before_it() -> None:
    batch = fold(
        [
            event("cancel", at=3.0, job=7, ranks="0-4,8", uid=0, done=True),
            event("cancel", at=4.0, job=6, ranks="0", uid=0, done=True),
            event("cancel", at=4.0, job=7, ranks="5", uid=0, done=True),
            event("revive", job=job_to_json(JOB), ranks="1,3,5", held=0),
        ]
    )
    kept = Cancelled(6, RangeSet.of([0]), 4.0, 0)
    assert batch.cancelled == [Cancelled(7, RangeSet.parse("0,2,4,8"), 3.0, 0), kept]
    assert batch.revived == [Revived(7, RangeSet.parse("1,3,5"), 1)]
    assert batch.done == {6: 4.0, 7: 0.0}


def test_the_later_report_of_a_step_replaces() -> None:
    step = StepRow(job=8, run=1, step=2, name="s", state=State.RUNNING, node="n1", began_at=6.0)
    ended = StepRow(job=8, run=1, step=2, name="s", state=State.FAILED, node="n1", began_at=6.0, ended_at=7.0, code=4)
    batch = fold([event("step", node="n1", rows=[step_to_json(step), step_to_json(ended)])])
    assert batch.steps == {(8, 1, 2): ended}


def test_kinds_without_a_record_are_passed_over() -> None:
    batch = fold([event("nudge", node="n"), event("lead", fence=1, holder="h"), event("of the future")])
    assert batch == fold([])


def test_positions_compare_as_numbers() -> None:
    assert Position.parse("0") < Position.parse("9-2") < Position.parse("9-10") < Position.parse("10-0")
    assert Position.parse("9-10").text == "9-10"
    assert [Position.parse(each).before.text for each in ("9-10", "9-0", "0-0")] == ["9-9", f"8-{2**64 - 1}", "0-0"]
