"""Ids in portions that one statement takes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.grammar.ranges import RangeSet
from crane_celery.history import search


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 400)), st.integers(1, 6), st.integers(1, 60))
def test_portions_are_all_of_it_and_none_is_sifted(model: frozenset[int], few: int, mask: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MAX_RANGES", few)
        patch.setattr(search, "MAX_MASK", mask)
        portions = list(search.portions(RangeSet.of(model)))
        assert not any(map(search.sifts, portions))
    assert sorted(number for some in portions for number in some) == sorted(model)
    assert all(portions) and all(before.last < after.first for before, after in pairwise(portions))
