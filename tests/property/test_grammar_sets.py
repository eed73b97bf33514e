"""RangeSet and IndexSet against Python's sets; host lists against lists."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.errors import InputError
from crane_celery.grammar import _runs
from crane_celery.grammar._patterns import folded
from crane_celery.grammar.array import IndexSet, parse_array
from crane_celery.grammar.hostlist import compress, expand
from crane_celery.grammar.ranges import RangeSet

numbers = st.integers(0, 60)
sets = st.frozensets(numbers, max_size=40)
runs = st.builds(lambda start, span, step: (start, start + span, step), numbers, numbers, st.integers(1, 9))
run_lists = st.lists(runs, max_size=6)


def members(of: list[tuple[int, int, int]]) -> list[int]:
    """The numbers that some runs hold, sorted."""
    return sorted({number for start, stop, step in of for number in range(start, stop + 1, step)})


@settings(deadline=None)
@given(sets, sets)
def test_rangeset_operations_are_those_of_sets(left: frozenset[int], right: frozenset[int]) -> None:
    a, b = RangeSet.of(left), RangeSet.of(right)
    assert set(a | b) == left | right
    assert set(a & b) == left & right
    assert set(a - b) == left - right
    assert (a == b) == (left == right)
    assert (a | b) - b == a - b
    assert (a - b) | (a & b) == a
    assert hash(a | b) == hash(b | a)


@settings(deadline=None)
@given(sets, numbers)
def test_rangeset_queries(model: frozenset[int], number: int) -> None:
    made = RangeSet.of(model)
    assert list(made) == sorted(model)
    assert len(made) == len(model)
    assert bool(made) == bool(model)
    assert (number in made) == (number in model)
    assert list(made.take(number)) == sorted(model)[:number]
    assert RangeSet.parse(made.text) == made
    assert RangeSet(made.ranges) == made
    assert not model or (made.first, made.last) == (min(model), max(model))


@settings(deadline=None)
@given(sets)
def test_rangeset_ranges_are_apart(model: frozenset[int]) -> None:
    ranges = RangeSet.of(model).ranges
    assert all(low <= high for low, high in ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


@settings(deadline=None)
@given(run_lists)
def test_indexset_is_the_set_of_its_runs(given_runs: list[tuple[int, int, int]]) -> None:
    indexes, model = IndexSet(given_runs), members(given_runs)
    assert list(indexes) == model
    assert len(indexes) == len(model)
    assert [indexes.index_of(rank) for rank in range(len(model))] == model
    for index in range(130):
        assert indexes.rank_of(index) == (model.index(index) if index in model else None)


@settings(deadline=None)
@given(run_lists.filter(bool))
def test_indexset_has_one_text(given_runs: list[tuple[int, int, int]]) -> None:
    indexes = IndexSet(given_runs)
    one_by_one = IndexSet((number, number, 1) for number in reversed(members(given_runs)))
    assert indexes == one_by_one
    assert hash(indexes) == hash(one_by_one)
    again = IndexSet.parse(indexes.text)
    assert (again, again.text, again.step) == (indexes, indexes.text, indexes.step)
    assert len(given_runs) == 1 or indexes.text == one_by_one.text


@settings(deadline=None)
@given(run_lists)
def test_written_specs_mean_their_items(given_runs: list[tuple[int, int, int]]) -> None:
    text = ",".join(f"{start}-{stop}:{step}" for start, stop, step in given_runs)
    if text:
        spec = parse_array(text + "%3")
        assert list(spec.indexes) == members(given_runs)
        assert spec.throttle == 3


@settings(deadline=None)
@given(st.lists(runs, min_size=2, max_size=5), st.integers(1, 9))
def test_overlay_by_windows_is_overlay_by_enumeration(given_runs: list[tuple[int, int, int]], window: int) -> None:
    few, wide = _runs.FEW, _runs.WINDOW
    try:
        _runs.FEW, _runs.WINDOW = 0, window
        assert _runs.canonical(_runs.series(given_runs)) == list(IndexSet(given_runs).runs)
    finally:
        _runs.FEW, _runs.WINDOW = few, wide


@settings(deadline=None)
@given(run_lists, run_lists.filter(bool), sets)
def test_ranks_of(mine: list[tuple[int, int, int]], asked: list[tuple[int, int, int]], loose: frozenset[int]) -> None:
    indexes, model = IndexSet(mine), members(mine)
    wanted = IndexSet(asked)
    expected = [model.index(number) for number in members(asked) if number in model]
    assert list(indexes.ranks_of(wanted)) == expected
    assert list(indexes.ranks_of(wanted.text)) == expected
    assert list(indexes.ranks_of(RangeSet.of(loose))) == [model.index(n) for n in sorted(loose) if n in model]
    assert list(indexes.ranks_of("*")) == list(range(len(model)))


@settings(deadline=None)
@given(run_lists.filter(bool), st.data())
def test_text_of_folds_ranks_back(mine: list[tuple[int, int, int]], data: st.DataObject) -> None:
    indexes, model = IndexSet(mine), members(mine)
    ranks = data.draw(st.frozensets(st.integers(0, len(model) - 1), min_size=1))
    limit = data.draw(st.integers(3, 40))
    text = indexes.text_of(RangeSet.of(ranks))
    assert list(IndexSet.parse(text)) == [model[rank] for rank in sorted(ranks)]
    assert indexes.ranks_of(text) == RangeSet.of(ranks)
    cut = indexes.text_of(RangeSet.of(ranks), limit)
    assert len(cut) <= limit
    assert cut == text or (cut.endswith("...") and text.startswith(cut[:-3]))


@settings(deadline=None)
@given(st.frozensets(st.integers(0, 20), min_size=1), st.integers(1, 30), st.integers(1, 40), sets)
def test_patterns_keep_their_numbers(pattern: frozenset[int], hop: int, times: int, more: frozenset[int]) -> None:
    numbers = {start * hop + number for start in range(times) for number in pattern} | set(more)
    text = IndexSet.parse("0-9999").text_of(RangeSet.of(numbers))
    assert list(IndexSet.parse(text)) == sorted(numbers)
    runs = IndexSet.parse(text).runs
    assert len(list(folded(runs))) <= len(runs)


@settings(deadline=None)
@given(st.text("0123456789-:,%[]x", max_size=30))
def test_array_refuses_with_input_error_only(text: str) -> None:
    try:
        spec = parse_array(text)
    except InputError as error:
        assert str(error)
    else:
        assert len(spec.indexes) > 0
        assert spec.throttle >= 0


@settings(deadline=None)
@given(st.text("0123456789-,x ", max_size=20))
def test_rangeset_refuses_with_input_error_only(text: str) -> None:
    try:
        parsed = RangeSet.parse(text)
    except InputError:
        return
    assert RangeSet.parse(parsed.text) == parsed


host = st.from_regex(r"[a-c]{1,2}[0-9]{0,4}(-[a-b]?[0-9]{0,3})?", fullmatch=True)


@settings(deadline=None)
@given(st.lists(host, max_size=20))
def test_hosts_round_trip(names: list[str]) -> None:
    text = compress(names)
    assert sorted(expand(text)) == sorted(set(names))
    assert compress(expand(text)) == text
    assert compress(reversed(names)) == text


@settings(deadline=None)
@given(st.text("ab01[]-, .", max_size=20))
def test_hosts_refuse_with_input_error_only(text: str) -> None:
    try:
        names = expand(text)
    except InputError:
        return
    assert set(expand(compress(names))) == set(names)
