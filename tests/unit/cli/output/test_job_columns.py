"""Columns, JSON and conditions come from the table of job fields."""

from collections import Counter

import pytest

from cli.common.job_filters import add_filters, filters_of
from cli.common.options import Parser
from cli.output import job_columns
from cli.output.json_records import job_info
from crane_celery.history.rows import element_row
from crane_celery.model.fields.row import Shown
from crane_celery.model.fields.table import FIELDS
from crane_celery.model.job import Element, Job, JobSpec
from crane_celery.model.states import State

SPEC = JobSpec(name="fit", uid=7, gid=7, user="ada", partition="long", nodes=2, time_limit=90)
JOB = Job(id=12, spec=SPEC, count=1, submitted_at=1e9, pending="")
RUN = Element(id=12, job=12, rank=0, run=1, state=State.COMPLETED, allocation=(), leased_at=1e9, began_at=1e9)


@pytest.mark.parametrize("listing", ["queue", "past"])
def test_a_letter_is_one_column(listing: str) -> None:
    shown: list[Shown] = [each for field in FIELDS if (each := getattr(field, listing))]
    names = Counter(name for each in shown for name in (each.letter, *each.also.split()) if name)
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("columns", [job_columns.live(), job_columns.past()])
def test_every_column_has_a_cell(columns: dict[str, job_columns.Column]) -> None:
    row = {**element_row(JOB, RUN, now=1e9), "held": False, "indexes": ""}
    assert all(isinstance(column.cell(row), str) for column in columns.values())


def test_json_has_the_names_and_forms_of_the_table() -> None:
    info = job_info(element_row(JOB, RUN, now=1e9 + 5))
    assert (info["node_num"], info["time_limit"], info["submit_time"]) == (2, "90s", "2001-09-09T01:46:40Z")
    assert (info["held"], info["memory_deaths"], "end_time" in info) == (False, 0, False)


@pytest.mark.parametrize(("command", "has"), [("cqueue", True), ("cacct", True), ("ccancel", False)])
def test_conditions_are_those_of_the_command(command: str, has: bool) -> None:
    parser = Parser(command, "of a test")
    add_filters(parser)
    assert ("--qos" in parser.options) is has
    assert filters_of(parser.parse(["-u", "ada,bob", "-p", ""])) == {"users": ["ada", "bob"]}
