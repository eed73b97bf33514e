"""Output format strings."""

import pytest

from crane_celery.errors import FormatError
from crane_celery.grammar.format import Column, Literal, fit, parse_format

NAMES = {"j": 1, "t": 2, "J": 3, "JobId": 4, "state": 5}


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("%5j|%.8t", (Column("j", 5, False), Literal("|"), Column("t", 8, True))),
        ("ID:%j", (Literal("ID:"), Column("j", 0, False))),
        ("%J%j", (Column("J", 0, False), Column("j", 0, False))),
        ("%jobid %.3STATE", (Column("JobId", 0, False), Literal(" "), Column("state", 3, True))),
        ("%.j", (Column("j", 0, True),)),
        ("100%%%j%%", (Literal("100%"), Column("j", 0, False), Literal("%"))),
        ("%i=%T".replace("i", "j").replace("T", "t"), (Column("j", 0, False), Literal("="), Column("t", 0, False))),
    ],
)
def test_accepted(text: str, columns: tuple[Column | Literal, ...]) -> None:
    assert parse_format(text, NAMES) == columns


def test_older_form_is_left_aligned() -> None:
    assert parse_format("%.5j", NAMES, dot_right=False) == (Column("j", 5, False),)


@pytest.mark.parametrize("text", ["", "j", "%zz", "%", "%T", "%5", "%99999j", "%5.3j", "%-5j", "%é", "% j"])
def test_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_format(text, NAMES)


def test_hints() -> None:
    with pytest.raises(FormatError, match="did you mean 'state'"):
        parse_format("%stat", NAMES)
    with pytest.raises(FormatError, match="up to 10000"):
        parse_format("%99999j", NAMES)


@pytest.mark.parametrize(
    ("width", "right", "shown"),
    [(0, False, "abc"), (5, False, "abc  "), (5, True, "  abc"), (2, False, "ab"), (2, True, "ab"), (3, True, "abc")],
)
def test_fit(width: int, right: bool, shown: str) -> None:
    assert fit("abc", width, right) == shown
