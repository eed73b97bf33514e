"""Ids of jobs, elements and steps."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.selector import Selector, format_selector, parse_selectors


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("12", [(12, "", None)]),
        ("12.3", [(12, "", 3)]),
        ("12_4", [(12, "4", None)]),
        ("12_0", [(12, "0", None)]),
        ("12_4.2", [(12, "4", 2)]),
        ("12, 13", [(12, "", None), (13, "", None)]),
        ("12_[1-3,5]", [(12, "1-3,5", None)]),
        ("12_[1-9:2]", [(12, "1-9:2", None)]),
        ("12_[3,1,2]", [(12, "1-3", None)]),
        (" 20_4 ,20_[5-6].1,7", [(20, "4", None), (20, "5-6", 1), (7, "", None)]),
        ("12_*", [(12, "", None)]),
        ("12_*.3", [(12, "*", 3)]),
        ("5,5", [(5, "", None)]),
    ],
)
def test_accepted(text: str, items: list[tuple[int, str, int | None]]) -> None:
    parsed = parse_selectors(text)
    assert [tuple(item) for item in parsed] == items
    assert parse_selectors(",".join(map(format_selector, parsed))) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "12.0",
        "12_",
        "_3",
        "12.3.4",
        "12_3_4",
        "",
        " ",
        ",",
        "1,",
        "1,,2",
        "x",
        "-1",
        "01",
        "1 2",
        "12_[1",
        "12_1]",
        "12_[]",
        "12_[3-1]",
        "12_[1, 2]",
        "12.x",
        "12.",
        "1+2",
        "²",
        "9" * 30,
        "12_99999999999",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_selectors(text)


def test_format() -> None:
    assert format_selector(Selector(12, "1-3", 2)) == "12_[1-3].2"
