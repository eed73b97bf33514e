"""Arguments of the scripts."""

from crane_celery.grammar.ranges import RangeSet
from crane_celery.store.rows import WINDOW, pieces


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
