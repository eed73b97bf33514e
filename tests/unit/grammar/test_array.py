"""The --array language (Slurm's vectors) and index sets."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar import _runs
from crane_celery.grammar.array import IndexSet, parse_array
from crane_celery.grammar.ranges import RangeSet


@pytest.mark.parametrize(
    ("text", "canonical", "count", "step", "throttle"),
    [
        ("0-31", "0-31", 32, 1, 0),
        ("5", "5", 1, 1, 0),
        ("1,3,5,7", "1-7:2", 4, 2, 0),
        ("1-7:2", "1-7:2", 4, 2, 0),
        ("0-9:3%2", "0-9:3", 4, 3, 2),
        ("0-15%4", "0-15", 16, 1, 4),
        ("0,6,16-32", "0,6,16-32", 19, 1, 0),
        ("[1-3]", "1-3", 3, 1, 0),
        ("[1-3,5]%2", "1-3,5", 4, 1, 2),
        ("[1-3],[7]", "1-3,7", 4, 1, 0),
        ("1,1,1-2", "1-2", 2, 1, 0),
        ("5,1", "1,5", 2, 1, 0),
        ("1-4:3", "1-4:3", 2, 3, 0),
        ("1-2:2", "1", 1, 1, 0),
        ("0-4,7", "0-4,7", 6, 1, 0),
        ("0-10:2,1-11:2", "0-11", 12, 1, 0),
        ("0-10:2,11-20", "0-8:2,10-20", 16, 1, 0),
        ("0-12:3,0-12:4", "0,3-4,6,8-9,12", 7, 1, 0),
        ("0-999999", "0-999999", 1_000_000, 1, 0),
        ("0-999998:2", "0-999998:2", 500_000, 2, 0),
        ("0-3%2", "0-3", 4, 1, 2),
    ],
)
def test_accepted(text: str, canonical: str, count: int, step: int, throttle: int) -> None:
    spec = parse_array(text)
    assert (spec.indexes.text, len(spec.indexes), spec.indexes.step) == (canonical, count, step)
    assert spec.throttle == throttle
    again = IndexSet.parse(canonical)
    assert (again, again.step, hash(again)) == (spec.indexes, step, hash(spec.indexes))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty array"),
        ("0-9%", "'%'"),
        ("0-9%0", "'%0'"),
        ("0-9%abc", "'%abc'"),
        ("0-9%-1", "'%-1'"),
        ("1-3%2,5", "last"),
        ("%5", "no indexes before the limit of array '%5'"),
        ("-", "'-'"),
        ("9-0", "backward"),
        ("3-1", "backward"),
        ("5:2", "step needs a range"),
        ("1:2", "step needs a range"),
        ("0-9:0", "step of 0"),
        ("1-5:0", "step of 0"),
        ("0-9:", "'0-9:'"),
        ("0-9:1001", "up to 1000"),
        ("-5", "'-5'"),
        ("0-", "'0-'"),
        ("5-", "'5-'"),
        ("1-2x", "'1-2x'"),
        ("a-b", "'a-b'"),
        ("1001", "up to 1000"),
        ("1001-2000", "up to 1000"),
        (",", "''"),
        ("1,", "''"),
        ("1,,2", "''"),
        ("1, 2", "' 2'"),
        ("[1-3", "'[1-3'"),
        ("1-3]", "'1-3]'"),
        ("1-2-3", "'1-2-3'"),
        ("1.5", "'1.5'"),
        ("²", "²"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_array(text, max_index=1000)
    assert says in str(caught.value)


def test_count_limit_counts_elements_once() -> None:
    assert len(parse_array("0-9,0-9:2", max_count=10).indexes) == 10
    with pytest.raises(InputError, match="at most 10 elements"):
        parse_array("0-10", max_count=10)
    with pytest.raises(InputError, match="at most 10 elements"):
        parse_array("0-18:2,1", max_count=10)


def test_index_and_rank() -> None:
    indexes = IndexSet.parse("10-18:2,100,200-202")
    assert list(indexes) == [10, 12, 14, 16, 18, 100, 200, 201, 202]
    assert (indexes.first, indexes.last) == (10, 202)
    assert [indexes.rank_of(index) for index in (9, 10, 11, 18, 20, 100, 202, 203)] == [
        None,
        0,
        None,
        4,
        None,
        5,
        8,
        None,
    ]
    assert 100 in indexes
    assert 101 not in indexes
    with pytest.raises(IndexError):
        indexes.index_of(9)
    with pytest.raises(IndexError):
        indexes.index_of(-1)


def test_empty_set() -> None:
    empty = IndexSet()
    assert (len(empty), empty.text, empty.step, list(empty)) == (0, "", 1, [])
    assert not empty.ranks_of("*")
    assert empty.ranks_of(RangeSet.of([1])) == RangeSet()


@pytest.mark.parametrize(
    ("indexes", "asked", "ranks"),
    [
        ("0-9", "1-9:2", "1,3,5,7,9"),
        ("0-18:2", "4-8", "2-4"),
        ("0-18:2", "0-18:4", "0,2,4,6,8"),
        ("0-999998:2", "0-2000000000:2", "0-499999"),
        ("0-9", "*", "0-9"),
        ("0-9", "", "0-9"),
        ("0-9", "20-30", ""),
        ("0-9,20-29", "8-21", "8-11"),
        ("0-9", "3,1,2", "1-3"),
    ],
)
def test_ranks_of(indexes: str, asked: str, ranks: str) -> None:
    assert IndexSet.parse(indexes).ranks_of(asked).text == ranks


@pytest.mark.parametrize(
    ("indexes", "ranks", "limit", "shown"),
    [
        ("1-10", "0-3,5-9", 0, "1-4,6-10"),
        ("0-7", "0-7", 0, "0-7"),
        ("1-1024", "4-1023", 0, "5-1024"),
        ("2-18:2", "0-8", 0, "2-18:2"),
        ("1-7:2", "0-3", 0, "1,3,5,7"),
        ("0-5", "0,2,4", 0, "0,2,4"),
        ("0-999998:2", "0-499999", 0, "0-999998:2"),
        ("1-11", "0-1,5-7,10", 0, "1-2,6-8,11"),
        ("2,4,6,8,11,20", "0-5", 10, "2,4,6,..."),
        ("2,4,6,8,11", "0-4", 10, "2,4,6,8,11"),
        ("100-200", "0-100", 3, "..."),
        ("1-3", "", 0, ""),
        ("0-9999", ",".join(f"{n}-{n + 2}" for n in range(2, 9996, 4)), 0, "2-9994:4,3-9995:4,4-9996:4"),
        ("0-199", "0," + ",".join(f"{n},{n + 4}" for n in range(7, 150, 12)), 0, "0,7-139:12,11-143:12"),
        ("0-99", "0-1," + ",".join(f"{n},{n + 2}" for n in range(5, 80, 7)) + ",90-91", 0, "0-1,5-75:7,7-77:7,90-91"),
        ("0-199:2", ",".join(f"{n},{n + 2}" for n in range(0, 60, 6)), 12, "0-108:12,..."),
        ("0-99", ",".join(str(n * n) for n in range(10)), 0, "0-1,4,9,16,25,36,49,64,81"),
    ],
)
def test_text_of(indexes: str, ranks: str, limit: int, shown: str) -> None:
    assert IndexSet.parse(indexes).text_of(RangeSet.parse(ranks), limit) == shown


def test_text_of_unknown_rank() -> None:
    with pytest.raises(IndexError):
        IndexSet.parse("1-3").text_of(RangeSet.of([3]))


def test_million_interleaved_with_itself() -> None:
    assert IndexSet.parse("0-999998:2,1-999999:2").text == "0-999999"
    assert len(IndexSet.parse("0-99999:2,1-99999:3")) == 66_667


def test_an_irregular_set_costs_its_runs() -> None:
    """Numbers without a pattern beside strides among them: each stride once looked at all that is solid anew."""
    looked = 0

    class Counted(RangeSet):
        @property
        def ranges(self) -> tuple[tuple[int, int], ...]:
            nonlocal looked
            looked += 1
            return super().ranges

    numbers = [(at * 40 + at % 7, at * 40 + at % 7, 1) for at in range(2_000)]
    strides = [(100_000 + at * 40, 100_020 + at * 40, 10) for at in range(500)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_runs, "RangeSet", Counted)
        assert len(IndexSet([*numbers, *strides])) == 2_000 + 1_500
    assert looked <= 1
