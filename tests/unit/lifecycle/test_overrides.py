"""Changes of a submission by ranks: later ones win, and a part costs what it differs, not what it counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import JobSpec
from crane_celery.model.overrides import change, decode, spec_of, spec_parts

SPEC = JobSpec(name="j", uid=1, gid=1, user="u", time_limit=60)
_SPAN = st.tuples(st.integers(0, 30), st.integers(0, 9)).map(lambda pair: RangeSet.span(pair[0], pair[0] + pair[1]))
_CHANGE = st.tuples(_SPAN, st.dictionaries(st.sampled_from(["time_limit", "priority"]), st.integers(1, 3), min_size=1))


def test_an_element_and_then_all() -> None:
    once = change("", RangeSet.span(2, 2), {"time_limit": 120})
    assert spec_of(SPEC, once, 2).time_limit == 120
    assert spec_of(SPEC, once, 1) is SPEC
    twice = change(once, RangeSet.span(0, 999_999), {"nodelist": ["a"]})
    assert spec_of(SPEC, twice, 2).time_limit == 120
    assert spec_of(SPEC, twice, 2).nodelist == ("a",)
    assert [(ranks.text, spec.time_limit) for ranks, spec in spec_parts(SPEC, twice, RangeSet.span(0, 3))] == [
        ("0-1,3", 60),
        ("2", 120),
    ]


def test_what_never_changes() -> None:
    with pytest.raises(ValueError, match="uid never changes"):
        change("", RangeSet.span(0, 0), {"uid": 0})


@given(st.lists(_CHANGE, max_size=8))
def test_as_if_each_rank_had_its_own(changes: list[tuple[RangeSet, dict[str, int]]]) -> None:
    text, naive = "", dict.fromkeys(range(40), SPEC)
    for ranks, fields in changes:
        text = change(text, ranks, fields)
        for rank in naive:
            if rank in ranks:
                naive[rank] = JobSpec(**{f: getattr(naive[rank], f) for f in JobSpec.__slots__} | fields)
    assert {rank: spec_of(SPEC, text, rank) for rank in naive} == naive
    parts = spec_parts(SPEC, text, RangeSet.span(0, 39))
    assert {
        rank: spec for ranks, spec in parts for pair in ranks.ranges for rank in range(pair[0], pair[1] + 1)
    } == naive
    assert len(decode(text)) <= 9
