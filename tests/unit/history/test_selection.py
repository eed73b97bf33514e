"""Test what ids on the command line mean in the history."""

import pytest

from crane_celery.grammar.selector import parse_selectors
from crane_celery.history.selection import pick
from crane_celery.model.job import Job, JobSpec


def job(id: int, count: int, array: str = "") -> Job:
    spec = JobSpec(name="a", uid=1, gid=1, user="ada", array=array)
    return Job(id=id, spec=spec, count=count, submitted_at=1.0, pending="")


JOBS = (job(12, 1), job(36, 4, "1-7:2"))


def owner(id: int) -> Job | None:
    return next((each for each in JOBS if each.id <= id < each.id + each.count), None)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("12", "12"),
        ("36", "36-39"),
        ("36_1", "36"),
        ("36.1", "36"),
        ("36_*.1", "36-39"),
        ("36_[3-5]", "37-38"),
        ("38", "38"),
        ("38,12", "12,38"),
        ("36_2", ""),
        ("12_1", ""),
        ("38_1", ""),
        ("99", ""),
    ],
)
def test_ids(text: str, ids: str) -> None:
    assert pick(parse_selectors(text), owner).ids.text == ids


def test_a_step_narrows_its_job_only() -> None:
    picked = pick(parse_selectors("12.1,36_1.2,36_3"), owner)
    steps = [{"step": number} for number in range(3)]
    assert picked.ids.text == "12,36-37"
    assert picked.narrow(12, steps) == [{"step": 1}]
    assert picked.narrow(36, steps) == [{"step": 2}]
    assert picked.narrow(37, steps) == steps
