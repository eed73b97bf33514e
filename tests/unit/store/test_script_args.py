"""Arguments of the scripts."""

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import StepRow
from crane_celery.model.states import State
from crane_celery.store import script_args
from crane_celery.store.api import Began, Ended, Moved, Report
from crane_celery.store.script_args import WINDOW, pieces, reports


def test_few_ranges_stay_together() -> None:
    assert pieces("") == [""]
    assert pieces("0-999999") == ["0-999999"]
    assert pieces("3,500000-999999") == ["3,500000-999999"]


def test_many_ranges_come_in_windows() -> None:
    some = RangeSet.stride(5, 3 * WINDOW, 2) - RangeSet.span(WINDOW, 2 * WINDOW - 1)
    parts = [RangeSet.parse(part) for part in pieces(some.text)]
    assert [(part.first, part.last) for part in parts] == [
        (5, WINDOW - 1),
        (2 * WINDOW + 1, 3 * WINDOW - 1),
    ]
    assert parts[0] | parts[1] == some


def step(id: int, number: int) -> StepRow:
    return StepRow(job=id, run=1, step=number, name="", state=State.COMPLETED, node="n1")


def test_a_report_that_one_script_can_take_stays_whole() -> None:
    report = Report([Began(7, 1, 0.0)], [Ended(7, 1, "Completed", 0, 0.0, 0.0)], [step(7, 2)], [])
    assert list(reports(report)) == [report]
    assert list(reports(Report())) == [Report()]


def test_a_long_report_is_cut_where_a_run_is_told_of() -> None:
    ids = range(1, 7)
    report = Report([Began(i, 1, 0.0) for i in ids], [Ended(i, 1, "Completed", 0, 0.0, 0.0) for i in reversed(ids)])
    parts = list(reports(report, 4))
    assert [([row.id for row in part.began], [row.id for row in part.ended]) for part in parts] == [
        ([1, 2], [1, 2]),
        ([3, 4], [3, 4]),
        ([5, 6], [5, 6]),
    ]


def test_what_is_told_of_one_run_keeps_its_order_over_the_cuts() -> None:
    report = Report(
        [Began(1, 1, 0.0)],
        [Ended(1, 1, "Completed", 0, 0.0, 0.0)],
        [step(1, number) for number in range(2, 6)],
        [Moved(1, 1, "Suspended", 1.0)],
    )
    told = [[len(kind) for kind in part] for part in reports(report, 3)]
    assert told == [[1, 0, 2, 0], [0, 0, 2, 1], [0, 1, 0, 0]]


def test_an_entry_that_cannot_be_read_is_stepped_over() -> None:
    good = (b"2-0", [b"k", b"hold", b"t", b"5", b"v", b'[{"job":1,"ranks":"0"}]'])
    for bad in ([b"k", b"hold"], [b"k", b"hold", b"t", b"x", b"v", b"[]"], [b"k", b"a,b", b"t", b"1", b"v", b"[{}]"]):
        events = script_args.events([(b"1-0", bad), good])
        assert [(event.seq, event.kind) for event in events] == [("1-0", "unreadable"), ("2-0", "hold")]
