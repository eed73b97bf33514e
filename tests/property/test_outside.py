"""Texts from outside that say numbers: what a reader takes is bounded, whatever is typed; the rest is an InputError."""

from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crane_celery.errors import InputError
from crane_celery.grammar._lex import MAX_NUMBER, whole
from crane_celery.grammar.duration import FOREVER_S, parse_delay, parse_duration
from crane_celery.grammar.memory import parse_memory
from crane_celery.grammar.number import plain, real
from crane_celery.grammar.signals import signal_number
from crane_celery.grammar.when import parse_when

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
_DIGITS = st.sampled_from(["0", "1", "7", "9", "99", "2147483648", "9223372036854775808", "9" * 4301, "\u0661", "\xb2"])
_SIGNS = st.sampled_from(
    ["", "-", "+", ".", ":", "e", "e308", "nan", "inf", "now", "T", "Z", "s", "w", "G", "@", " ", "_"]
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.lists(_DIGITS | _SIGNS, max_size=8).map("".join),
)


@given(TEXTS)
def test_spans(text: str) -> None:
    for reader in (parse_duration, parse_delay):
        try:
            found = reader(text)
        except InputError:
            continue
        assert found is None or 0 <= found < FOREVER_S


@given(TEXTS)
def test_moments(text: str) -> None:
    for past in (False, True):
        try:
            found = parse_when(text, NOW, past)
        except InputError:
            continue
        assert abs(found.timestamp()) < FOREVER_S


@given(TEXTS)
def test_sizes_and_numbers(text: str) -> None:
    with suppress(InputError):
        assert 0 <= parse_memory(text) <= MAX_NUMBER
    number = whole(text)
    assert number is None or 0 <= number <= MAX_NUMBER
    found = real(text, -1e6, 1e6)
    assert found is None or (-1e6 <= found <= 1e6 and plain(found))


@given(TEXTS)
def test_signals(text: str) -> None:
    with suppress(InputError):
        assert 1 <= signal_number(text) <= 64
