"""Test what people see of foreign text: nothing that a terminal obeys or hides, and no two texts alike."""

import ast
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_celery.grammar.printable import cut, padded, printable, shown_record, visible, width

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\\xuU0123456789abcdef\n\x1b\u202e\udce9\u0301\u200b")))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with blanks", "plain, with blanks"),
        ("a\nJobState=Running", r"a\x0aJobState=Running"),
        ("\x1b]0;title\x07\x7f\x9b2J", r"\x1b]0;title\x07\x7f\x9b2J"),
        ("\r\t\0\v\f\x85\u2028\u2029", r"\x0d\x09\x00\x0b\x0c\x85\u2028\u2029"),
        ("\u202eevil\u2066\u200f\u061c", r"\u202eevil\u2066\u200f\u061c"),
        ("\u200b\u200d\ufeff\u2060\u00ad\u3164", r"\u200b\u200d\ufeff\u2060\xad\u3164"),
        ("\u2800\ufe0f\u034f", r"\u2800\ufe0f\u034f"),
        ("\u00a0\u3000\U000e0041", r"\xa0\u3000\U000e0041"),
        ("caf\udce9 \ud83d", r"caf\udce9 \ud83d"),
        ("café 日本語 Ελλ हिन्दी", "café 日本語 Ελλ हिन्दी"),
        ("e\u0301", "e\u0301"),
        ("\u0301x", r"\u0301x"),
        ("z" + "\u0301" * 5, "z" + "\u0301" * 3 + r"\u0301\u0301"),
        (r"printf 'a\n' C:\temp \\srv", r"printf 'a\n' C:\temp \\srv"),
        (r"\x1b", r"\\x1b"),
        ("\\\x1b", r"\\\x1b"),
        (r"\\x1b", r"\\\\x1b"),
        ("a\\", "a\\"),
    ],
)  # fmt: skip
def test_a_field(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(TEXTS)
def test_nothing_that_is_obeyed_or_hidden_is_left(text: str) -> None:
    for shown in (printable(text), visible(text)):
        assert shown.isprintable() and len(shown.splitlines()) <= 1
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown)
        shown.encode()


@given(TEXTS)
def test_a_field_says_which_text_it_is(text: str) -> None:
    """An odd backslash before an escape begins one, two before it are one: so the text can be had back."""
    shown, found = printable(text), ""
    at = 0
    while at < len(shown):
        end = at
        while end < len(shown) and shown[end] == "\\":
            end += 1
        run, length = end - at, {"x": 3, "u": 5, "U": 9}.get(shown[end : end + 1], 0)
        digits = shown[end + 1 : end + length]
        escape = (
            run and length and len(digits) == length - 1 and all(each in "0123456789abcdefABCDEF" for each in digits)
        )
        found += "\\" * (run // 2 if escape else run)
        at = end
        if escape and run % 2:
            found += ast.literal_eval(f'"\\{shown[end]}{digits}"')
            at = end + length
        elif at < len(shown) and not run:
            found += shown[at]
            at += 1
        elif escape:
            found += shown[end : end + length]
            at = end + length
    assert found == text


@given(TEXTS)
def test_a_sentence_may_be_made_visible_twice(text: str) -> None:
    assert visible(visible(text)) == visible(text)


def test_widths_are_those_of_a_terminal() -> None:
    assert [width(each) for each in ("abc", "日本", "e\u0301", "é", "")] == [3, 4, 1, 1, 0]
    assert (cut("日本語", 5), cut("abc", 2), cut("e\u0301x", 1)) == ("日本", "ab", "e\u0301")
    assert (padded("日本", 6), padded("日本", 6, right=True), padded("toolong", 3)) == ("日本  ", "  日本", "toolong")


def test_every_text_of_a_record() -> None:
    record = {"a\n": ["x\x1b", {"deep": ("\u202e", 1, None, 2.5, True)}]}
    assert shown_record(record) == {r"a\x0a": [r"x\x1b", {"deep": [r"\u202e", 1, None, 2.5, True]}]}
