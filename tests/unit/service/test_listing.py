"""What has ended, beside what lives."""

from crane_celery.history.rows import Row, element_row
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.states import State
from crane_celery.service.listing import Wanted, with_past
from crane_celery.service.queue import Chosen


def test_a_run_that_another_followed_is_not_the_end_of_its_job() -> None:
    job = Job(
        id=7, spec=JobSpec(name="j", uid=1, gid=1, user="ada", array="0-1"), count=2, submitted_at=1.0, pending=""
    )

    def run(rank: int, number: int, again: int) -> Row:
        element = Element(
            id=7 + rank, job=7, rank=rank, run=number, state=State.FAILED, allocation=(), leased_at=2.0, ended_at=3.0
        )
        return {**element_row(job, element), "again": again}

    filed = [run(1, 1, 1), run(0, 2, 0), run(0, 1, 1)]
    found = with_past(Chosen([], []), Wanted(past=True), 0.0, lambda _want: filed)
    assert [(row["jobid"], row["run"]) for row in found.rows] == [("7_0", 2)]
