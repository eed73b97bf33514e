"""The dependency language: document, CraneSched's vectors as amended, and every error."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.dependency import Clause, Dependency, Term, display_term, parse_dependency
from tests.support.texts import format_dependency


def flat(text: str) -> tuple[bool, list[list[tuple[str, int, str, int]]]]:
    """The parsed value as plain tuples."""
    parsed = parse_dependency(text)
    return parsed.any_of, [[tuple(term) for term in clause.terms] for clause in parsed.clauses]


@pytest.mark.parametrize(
    ("text", "any_of", "clauses"),
    [
        ("afterok:100", False, [[("afterok", 100, "", 0)]]),
        ("after:1+10", False, [[("after", 1, "", 600)]]),
        ("after:1+10:2+1h30m", False, [[("after", 1, "", 600), ("after", 2, "", 5400)]]),
        ("after:1+2d", False, [[("after", 1, "", 172800)]]),
        ("afterok:1?afterany:2", True, [[("afterok", 1, "", 0)], [("afterany", 2, "", 0)]]),
        ("after:100,afterok:101", False, [[("after", 100, "", 0)], [("afterok", 101, "", 0)]]),
        ("afterok:100+10s", False, [[("afterok", 100, "", 10)]]),
        ("after:1+2s", False, [[("after", 1, "", 2)]]),
        (
            "afterok:100:101+2h?after:102",
            True,
            [[("afterok", 100, "", 0), ("afterok", 101, "", 7200)], [("after", 102, "", 0)]],
        ),
        ("after:100+10m,afterok:101+30m", False, [[("after", 100, "", 600)], [("afterok", 101, "", 1800)]]),
        ("singleton", False, [[("singleton", 0, "", 0)]]),
        ("singleton,afterok:3", False, [[("singleton", 0, "", 0)], [("afterok", 3, "", 0)]]),
        ("aftercorr:1", False, [[("aftercorr", 1, "", 0)]]),
        ("afterexcept:7", False, [[("afterexcept", 7, "", 0)]]),
        ("expand:7", False, [[("expand", 7, "", 0)]]),
        ("after:123_4", False, [[("after", 123, "4", 0)]]),
        ("afterok:123_4:123_8", False, [[("afterok", 123, "4", 0), ("afterok", 123, "8", 0)]]),
        ("afterok:123_[4-9,12]+5", False, [[("afterok", 123, "4-9,12", 300)]]),
        ("afterok:1_[1-7:2]?afterok:2", True, [[("afterok", 1, "1-7:2", 0)], [("afterok", 2, "", 0)]]),
        ("afterany:5_*", False, [[("afterany", 5, "", 0)]]),
        ("after:1+10:20:30", False, [[("after", 1, "", 600), ("after", 20, "", 0), ("after", 30, "", 0)]]),
        ("afterok:1_[1-9:2]:1_4", False, [[("afterok", 1, "1-9:2", 0), ("afterok", 1, "4", 0)]]),
    ],
)
def test_accepted(text: str, any_of: bool, clauses: list[list[tuple[str, int, str, int]]]) -> None:
    assert flat(text) == (any_of, clauses)
    parsed = parse_dependency(text)
    assert parse_dependency(format_dependency(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty dependency"),
        ("afterok:100,afterok:101?afterok:102", "cannot be mixed"),
        ("afterok:1,afterany:2?after:3", "cannot be mixed"),
        ("AFTEROK:1", "did you mean 'afterok'?"),
        ("afterko:1", "did you mean 'afterok'?"),
        ("nonsense:1", "types are after afterok"),
        ("after100", "after:100"),
        ("100", "unknown dependency type"),
        ("afterok:", "names no job"),
        ("afterok", "names no job"),
        ("afterok:1,", "missing at a separator"),
        ("afterok:1?", "missing at a separator"),
        (",afterok:1", "missing at a separator"),
        ("afterok:1,,after:2", "missing at a separator"),
        ("?", "missing at a separator"),
        ("afterok:1, after:2", "blanks"),
        (" afterok:1", "blanks"),
        ("afterok: 1", "bad job id ' 1'"),
        ("afterok:1 ", "bad job id '1 '"),
        ("afterok:abc", "bad job id 'abc'"),
        ("afterok:10abc", "bad job id '10abc'"),
        ("afterok:1x:2", "bad job id '1x'"),
        ("afterok:1:", "bad job id ''"),
        ("afterok:+1", "bad job id '+1'"),
        ("afterok:0", "bad job id '0'"),
        ("afterok:007", "bad job id '007'"),
        ("afterok:-5", "bad job id '-5'"),
        ("afterok:" + "9" * 5000, "bad job id"),
        ("afterok:1+", "bad delay ''"),
        ("after:1+5x", "bad delay '5x'"),
        ("after:1++5", "bad delay '+5'"),
        ("after:1+5m3", "bad delay '5m3'"),
        ("afterok:100+invalid", "bad delay 'invalid'"),
        ("after:1+00:00:01", "write +1s"),
        ("after:1+00:00:02", "write +2s"),
        ("after:1+01:30:00", "write +1h30m"),
        ("after:1+1-01:30:00", "write +1d1h30m"),
        ("after:1+00:10", "write +10s"),
        ("after:9,after:1+0:00:05", "write +5s"),
        ("afterok:100:100", "duplicate job 100"),
        ("afterok:100,afternotok:100", "duplicate job 100"),
        ("afterok:1?after:2:1", "duplicate job 1"),
        ("afterok:123:123_4", "duplicate job 123_4"),
        ("afterok:123_4:123", "duplicate job 123 "),
        ("afterok:123_4,after:123_[1-5]", "duplicate job 123_[1-5]"),
        ("afterok:123_[1-5]:123_[5-9]", "duplicate job 123_[5-9]"),
        ("afterok:123_[1-5]:123_3", "duplicate job 123_3"),
        ("afterok:123_4:123_4", "duplicate job 123_4"),
        ("singleton,singleton", "duplicate singleton"),
        ("singleton:1", "takes no job id"),
        ("afterok:1_", "bad job id '1_'"),
        ("afterok:1_[", "bad job id '1_['"),
        ("afterok:1_[]", "bad array index"),
        ("afterok:1_[3-1]", "backward"),
        ("afterok:1.2", "bad job id '1.2'"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_dependency(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        (Term("afterok", 100, "", 3600), "afterok:100+01:00:00"),
        (Term("afterany", 101, "", 0), "afterany:101"),
        (Term("after", 3, "4", 86400), "after:3_4+1-00:00:00"),
        (Term("after", 3, "4-9", 0), "after:3_[4-9]"),
        (Term("singleton", 0, "", 0), "singleton"),
    ],
)
def test_display(term: Term, shown: str) -> None:
    assert display_term(term) == shown


def test_format() -> None:
    value = Dependency(
        True, (Clause((Term("afterok", 1, "", 90), Term("afterok", 2, "1-3", 0))), Clause((Term("after", 3, "", 0),)))
    )
    assert format_dependency(value) == "afterok:1+1m30s:2_[1-3]?after:3"


@pytest.mark.parametrize(
    ("text", "same"),
    [("afterok:12.", "afterok:12"), ("afterok:12.:13+2h,afterany:14_3.", "afterok:12:13+2h,afterany:14_3")],
)
def test_the_full_stop_behind_an_id_is_passed_over(text: str, same: str) -> None:
    assert parse_dependency(text) == parse_dependency(same)


@pytest.mark.parametrize("text", ["afterok:12..", "afterok:.12", "afterok:12.3", "afterok:."])
def test_other_full_stops_are_not(text: str) -> None:
    with pytest.raises(InputError):
        parse_dependency(text)
