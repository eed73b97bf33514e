"""RangeSet: text, operations, and what is refused."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.ranges import RangeSet


@pytest.mark.parametrize(
    ("text", "canonical", "size"),
    [
        ("", "", 0),
        ("7", "7", 1),
        ("0-4,7", "0-4,7", 6),
        ("7,0-4", "0-4,7", 6),
        ("0-4,5", "0-5", 6),
        ("1,1,1-2", "1-2", 2),
        ("0-999999999999", "0-999999999999", 10**12),
    ],
)
def test_text(text: str, canonical: str, size: int) -> None:
    parsed = RangeSet.parse(text)
    assert (parsed.text, len(parsed), bool(parsed)) == (canonical, size, size > 0)
    assert RangeSet.parse(parsed.text) == parsed


@pytest.mark.parametrize("text", ["a", "-", "-1", "1-", "3-1", "1,", ",", "1,,2", "1-2-3", " 1", "1.5", "²", "9" * 30])
def test_refused(text: str) -> None:
    with pytest.raises(InputError):
        RangeSet.parse(text)


def test_ends_and_take() -> None:
    numbers = RangeSet.parse("2-4,9,20-30")
    assert (numbers.first, numbers.last) == (2, 30)
    assert numbers.take(4).text == "2-4,9"
    assert numbers.take(0) == RangeSet()
    assert numbers.take(99) == numbers


def test_empty_has_no_ends() -> None:
    with pytest.raises(IndexError):
        _ = RangeSet().first
    with pytest.raises(IndexError):
        _ = RangeSet().last


def test_cost_is_ranges_not_elements() -> None:
    everything = RangeSet.span(0, 10**15)
    rest = everything - RangeSet.of([5, 10**9])
    assert rest.ranges == ((0, 4), (6, 10**9 - 1), (10**9 + 1, 10**15))
    assert rest & RangeSet.span(4, 7) == RangeSet.of([4, 6, 7])
    assert rest | RangeSet.of([5, 10**9]) == everything
    assert hash(rest | RangeSet.of([5, 10**9])) == hash(everything)


def test_span_and_program_mistakes() -> None:
    assert not RangeSet.span(3, 2)
    with pytest.raises(ValueError, match="not a range"):
        RangeSet([(3, 2)])
    with pytest.raises(ValueError, match="not a range"):
        RangeSet.of([-1])
    assert "x" not in RangeSet.of([1])
    assert RangeSet.of([1]) != {1}
    assert repr(RangeSet.of([1, 2])) == "RangeSet.parse('1-2')"
