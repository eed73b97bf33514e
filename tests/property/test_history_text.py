"""Any text comes back from the history as it went in, and is Unicode that a database takes while there."""

from hypothesis import given
from hypothesis import strategies as st

from crane_celery.history.text import loaded, stored

_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\ufdd0\udce9\ud800a\\"))


@given(_TEXT)
def test_there_and_back(text: str) -> None:
    inside = stored(text)
    inside.encode()
    assert "\0" not in inside
    assert loaded(inside) == text


@given(_TEXT, _TEXT)
def test_no_two_texts_become_one(one: str, other: str) -> None:
    assert (stored(one) == stored(other)) == (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufdd0")))
def test_ordinary_text_stays(text: str) -> None:
    assert stored(text) == text
