"""Facts of a node as rows: what goes out comes back, and what an older version wrote is read."""

import json

import pytest

from crane_celery.wire import node
from crane_celery.wire.node import Exited, Failed, NodeUnfit, Noted, RunBegan, RunEnded, RunMoved, Started, StepReport

EVENTS = [
    Started("7.1.1.0", 4000, 5, 1.5),
    Failed("7.1.1.0", "cwd", 2, "no such file", 2.0),
    Exited("7.1.1.0", -9, 1.5, 2.5, 0.1, 4096),
    Exited("7.1.1.0", None, 1.5, 2.5, 0.0, 0),
    Noted("7.1.1.0"),
]
REPORTS = [
    RunBegan(7, 1, 2.0),
    RunEnded(7, 1, 0, "", 1.0, 2.0, 0.5, 4096, 0, "", 3),
    RunMoved(7, 1, "Suspended", 3.0),
    NodeUnfit("no disk"),
    StepReport(7, 1, 2, "s", 4, 1.0, 1 << 20, "hostname", None, "", 1.0, 0.0, 0.0, 0, False, 0, ""),
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_spawners_event_comes_back(event: node.SpawnerEvent) -> None:
    assert node.event(json.loads(json.dumps(node.row(event)))) == event


@pytest.mark.parametrize("report", REPORTS)
def test_a_report_comes_back_behind_its_number(report: node.Report) -> None:
    row = json.loads(json.dumps(node.numbered(report, 12)))
    assert node.last_number([row]) == 12
    assert node.report_of(row) == report


def test_reports_of_an_older_shepherd_lack_what_was_added_since() -> None:
    end = node.report_of([1, "e", 7, 1, None, "spawn", 0.0, 9.0, 0.0, 0, 28, "full"])
    assert end == RunEnded(7, 1, None, "spawn", 0.0, 9.0, number=28, text="full")


def test_an_unknown_kind_reports_nothing_and_a_torn_row_is_told_apart() -> None:
    assert node.report_of([1, "?", 7]) is None
    with pytest.raises(TypeError):
        node.report_of([1, "b", 7])
    assert node.readable([[1, "?", 7], [2, "b", 7], [3], [4, "b", 7, 1, 2.0]]) == [RunBegan(7, 1, 2.0)]


def test_begins_and_ends_are_told_apart() -> None:
    rows = [node.row(report) for report in REPORTS]
    assert node.begins(rows) == node.ends(rows) == {(7, 1)}
    assert node.begins(rows[1:]) == set()


def test_names_tell_run_and_step() -> None:
    names = [node.name_of(node.numbered(report)) for report in REPORTS]
    assert names == ["b-7.1", "e-7.1", "m-7.1", "d-no disk", "s-7.1.2"]
