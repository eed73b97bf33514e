"""Constraints."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.constraint import format_constraint, parse_constraint, satisfies


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ssd", "ssd"),
        ("b&a", "a&b"),
        ("a,b", "a&b"),
        ("a|b&c", "a|b&c"),
        ("(a|b)&c", "a&c|b&c"),
        ("a|a&b", "a"),
        (" ( a ) ", "a"),
        ("gpu:a100|x86-64.v3", "gpu:a100|x86-64.v3"),
    ],
)
def test_canonical(text: str, canonical: str) -> None:
    found = parse_constraint(text)
    assert format_constraint(found) == canonical
    assert parse_constraint(canonical) == found


@pytest.mark.parametrize("text", ["", "a&", "|a", "(a", "a)", "a b", "!a", "a&&b", "()", "(" * 60 + "a" + ")" * 60])
def test_wrong(text: str) -> None:
    with pytest.raises(InputError):
        parse_constraint(text)


def test_too_many_alternatives() -> None:
    with pytest.raises(InputError, match="alternatives"):
        parse_constraint("&".join(f"(a{n}|b{n})" for n in range(10)))


def test_satisfies() -> None:
    wanted = parse_constraint("ssd&(zen4|skylake)")
    assert satisfies(("ssd", "zen4"), wanted)
    assert not satisfies(("zen4",), wanted)
