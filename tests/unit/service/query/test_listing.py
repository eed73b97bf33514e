"""Test what has ended, beside what lives."""

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.api import Query
from crane_celery.history.rows import Row, element_row
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.states import Reason, State
from crane_celery.service.query.job_rows import Line
from crane_celery.service.query.listing import Wanted, with_past
from crane_celery.service.query.queue import Chosen


def test_a_run_that_another_followed_is_not_the_end_of_its_job() -> None:
    job = Job(
        id=7, spec=JobSpec(name="j", uid=1, gid=1, user="ada", array="0-1"), count=2, submitted_at=1.0, pending=""
    )

    def run(rank: int, number: int, again: int) -> Row:
        element = Element(
            id=7 + rank, job=7, rank=rank, run=number, state=State.FAILED, allocation=(), leased_at=2.0, ended_at=3.0
        )
        return {**element_row(job, element), "again": again}

    filed = [run(1, 1, 0), run(0, 2, 0)]
    waits = Line(job, RangeSet.span(1, 1), Reason.PRIORITY, job.spec)
    found, total = with_past(Chosen([waits], []), Wanted(past=True), 0.0, _Filed(filed))
    assert [(row["jobid"], row["run"]) for row in found.rows] == [("7_0", 2)]
    assert total == (2, True)


class _Filed(SqlHistory):
    """A history of these rows."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def query(self, want: Query) -> list[Row]:
        assert want.last
        return self._rows
