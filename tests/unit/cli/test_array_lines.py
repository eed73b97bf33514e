"""Test what cqueue shows of an array's elements one by one."""

import json

import pytest

from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster


@pytest.fixture
def some(shell: Shell, cluster: Cluster) -> Shell:
    """Elements 2, 4, 6, 8 of a held array, of which 6 runs; before them a job."""
    shell("cbatch", "--wrap", "true")
    shell("cbatch", "--hold", "--array=2-8:2", "--wrap", "true")
    shell("ccontrol", "release", "2_6")
    cluster.begin(2, 2)
    return shell


@pytest.mark.parametrize(
    ("order", "lines"),
    [
        ("j", "1 2_2 2_4 2_6 2_8"),
        ("-j", "2_8 2_6 2_4 2_2 1"),
        ("-K", "2_8 2_6 2_4 2_2 1"),
        ("K", "2_2 2_4 2_6 2_8 1"),
        ("t,-j", "2_8 2_4 2_2 1 2_6"),
        ("t", "1 2_2 2_4 2_8 2_6"),
    ],
)
def test_elements_are_sorted_each_by_itself(some: Shell, order: str, lines: str) -> None:
    said = some("cqueue", "-r", f"--sort={order}", "-N", "-o", "%j").out.split()
    assert said == lines.split()
    cut = some("cqueue", "-r", f"--sort={order}", "-N", "-o", "%j", "-m", "3")
    assert (cut.out.split(), "first 3 of 5 lines are" in cut.err) == (said[:3], True)


def test_a_line_of_json_has_a_record_for_each(some: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def records(*argv: str) -> list[tuple[int, str, int | None]]:
        found = json.loads(some("cqueue", "--json", *argv).out)["job_info_list"]
        return [(each["job_id"], each["jobid"], each.get("array_task", {}).get("task_id")) for each in found]

    apart = [(1, "1", None), (2, "2_2", 2), (3, "2_4", 4), (5, "2_8", 8), (4, "2_6", 6)]
    assert records("-r") == apart
    assert records("-r", "-m", "2") == apart[:2]
    assert records("-r", "-j", "2_[4-8]") == apart[2:]
    assert [jobid for _, jobid, _ in records()] == ["1", "2_[2,4,8]", "2_6"]
    monkeypatch.setenv("CQUEUE_ARRAY", "1")
    assert records() == apart


@pytest.mark.parametrize(("value", "apart"), [("0", False), ("no", False), ("", False), ("1", True), ("x", True)])
def test_the_variable_can_say_no(some: Shell, monkeypatch: pytest.MonkeyPatch, value: str, apart: bool) -> None:
    monkeypatch.setenv("CQUEUE_ARRAY", value)
    assert ("2_4" in some("cqueue", "-N", "-o", "%j").out.split()) == apart
    assert "2_4" in some("cqueue", "-r", "-N", "-o", "%j").out.split()
