"""RangeSets of more than 1,024 ranges, which are kept as bits, against Python's sets."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.errors import InputError
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.ranges import BOUND, FEW, RangeSet

Model = frozenset[int]
few = st.frozensets(st.integers(0, 20_000), max_size=20)
blocks = st.builds(
    lambda first, step, width: frozenset(n for at in range(first, 12_000, step) for n in range(at, at + width)),
    st.integers(0, 3000),
    st.integers(2, 12),
    st.integers(1, 11),
)
models = st.builds(lambda regular, odd, even: (regular | odd) - even, blocks | st.just(frozenset()), few, few)


@settings(deadline=None, max_examples=60)
@given(models, models)
def test_operations_are_those_of_sets(left: Model, right: Model) -> None:
    a, b = RangeSet.of(left), RangeSet.of(right)
    for made, model in ((a | b, left | right), (a & b, left & right), (a - b, left - right)):
        assert list(made) == sorted(model)
        assert made == RangeSet.of(model)
        assert hash(made) == hash(RangeSet.of(model))
        assert RangeSet.parse(made.text) == made


@settings(deadline=None, max_examples=60)
@given(models, st.integers(0, 13_000))
def test_queries(model: Model, number: int) -> None:
    made = RangeSet.of(model)
    assert (len(made), bool(made), number in made) == (len(model), bool(model), number in model)
    assert list(made.take(number)) == sorted(model)[:number]
    assert RangeSet(made.ranges) == made
    assert tuple(made.spans()) == made.ranges
    assert all(low <= high for low, high in made.ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(made.ranges))
    assert not model or (made.first, made.last) == (min(model), max(model))
    assert list(made.shifted(number)) == [each + number for each in sorted(model)]
    assert made.shifted(number).shifted(-number) == made
    parts = list(made.stretches())
    assert [n for part, _, _ in parts for n in part] == sorted(model)
    assert all(
        set(part) == {n for one in numbers for n in range(one, part.last + 1, hop)}
        for part, numbers, hop in parts
        if hop
    )


@settings(deadline=None)
@given(st.integers(0, 9000), st.integers(-3, 9000), st.integers(1, 9))
def test_stride(low: int, span: int, step: int) -> None:
    made = RangeSet.stride(low, low + span, step)
    assert list(made) == list(range(low, low + span + 1, step))
    assert made == RangeSet.of(range(low, low + span + 1, step))


@settings(deadline=None, max_examples=60)
@given(models, st.integers(1, 3), st.integers(0, 5))
def test_indexes_of_large_sets(model: Model, step: int, first: int) -> None:
    indexes = IndexSet([(first, first + 4_999 * step, step), (90_000, 90_000 + 20_000 * step, step)])
    text = indexes.text_of(RangeSet.of(model))
    assert sorted(indexes.ranks_of(text) if text else ()) == sorted(model)


def test_a_pattern_costs_next_to_nothing() -> None:
    half = RangeSet.stride(0, 999_998, 2)
    assert (len(half), half.first, half.last) == (500_000, 0, 999_998)
    assert [(numbers, hop) for _, numbers, hop in half.stretches()] == [([0], 2)]
    assert len(half.text) < 600
    assert (RangeSet.span(0, 999_999) - half).text.startswith("*0x976,1*5555")
    assert IndexSet.parse("0-999999").text_of(half) == "0-999998:2"
    assert repr(RangeSet.span(0, 4) & half) == "RangeSet.parse('0,2,4')"


def test_numbers_beyond_the_bound_stay_ranges() -> None:
    far = RangeSet.of(range(BOUND - 4000, BOUND + 4000, 2))
    assert len(far.ranges) == 4000 > FEW
    near = RangeSet.of(range(BOUND - 4000, BOUND - 2, 2))
    assert far & near == near
    assert len((far | near).ranges) == 4000
    assert (far - near).first == BOUND - 2


@pytest.mark.parametrize(
    "text",
    ["*", "**", "*0*", "*0*" + "0" * 255, "*1*" + "f" * 256, "*x*" + "f" * 256, "*0,*" + "f" * 256, "*0*" + "g" * 256],
)
def test_refused(text: str) -> None:
    with pytest.raises(InputError):
        RangeSet.parse(text)
