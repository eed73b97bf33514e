"""Values that programs trip over, texts made of a grammar's words, and valid values with a few such faults in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.fuzz.source import Source

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 63, 64, 65, 255, 256, 0.5, 1.5, -0.0, 1e-9, 4096, 65535, 65536, 2**31 - 1, 2**31, -(2**31), 2**32,
    2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**19, 10**30, 10**300, 1e300, 1e308, -1e308, float("nan"),
    float("inf"), float("-inf"), 1e15, 253402300800, 1700000000, 99999999999999999999,
)  # fmt: skip
TEXTS: tuple[str, ...] = (
    "", " ", "0", "-1", "1", "00", "1.5", "1e999", "nan", "inf", "-inf", "NaN", "1_000", "+1", "0x10", "9" * 20,
    "9" * 400,
    "9" * 5000, "\0", "\n", "\r", "\t", "\x1b[31m", "\x7f", "\x85", "\xa0", "\u2028", "\u202e", "\ud800", "\udce9",
    "\udcff", "\U0001f600", "\u0661", "\xb2", "\u2167", "\u0130", "\ufb03", "\xdf", "e\u0301", "\ufeff", "%", "%%",
    "%s", "%n",
    "%99999999999j", "{}", "{0}", "{0.__class__}", "$HOME", "${", "~", "~root", "`id`", "$(id)", "'", '"', "\\", "/",
    "//",
    "..", "/dev/null", ".", ",", ",,", ";", ":", "::", "@", "=", "+", "-", "--", "*", "?", "!", "&", "|", "(", ")",
    "(" * 60, "[", "]", "[]", "[" * 2000, "[0]", "[1-3]", "[1-999999]", "[0-9][0-9][0-9][0-9][0-9][0-9][0-9]",
    "[9-1]", "1-", "-1-", "0-18446744073709551616", "1-1000000000", "0-2000000000:3", "9999-12-31",
    "9999-12-31T23:59:59",
    "0001-01-01", "0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "1970-01-01", "now+99999999999days",
    "now-99999weeks",
    "24:00", "1e5", "infinite", "UNLIMITED", "none", "None", "all", "true", "null", "a" * 300, "a" * 5000, "ab " * 1000,
    "\xe9" * 300, "x=" * 50, "a,b" * 400, "<<EOF", "#!/bin/sh", "#SBATCH", "#CBATCH", "#BSUB",
)  # fmt: skip


def number(source: Source) -> Any:
    """Return a number; one of those that programs trip over, mostly."""
    if source.once_in(4):
        return (source.byte() << 8 | source.byte()) - source.byte()
    return source.pick(NUMBERS)


def char(source: Source) -> str:
    """Return a character."""
    kind = source.below(8)
    if kind < 6:
        return chr(32 + source.below(95))
    return chr(source.byte()) if kind == 6 else chr(source.below(0x3000))


def text(source: Source, words: Sequence[str] = ()) -> str:
    """Return a text of a few pieces: words of a grammar, strange texts, digits, characters."""
    made = []
    for _ in range(source.below(9)):
        kind = source.below(8)
        if kind < 5 and words:
            made.append(source.pick(words))
        elif kind < 6:
            made.append(str(source.below(1 << 20)) if source.once_in(3) else str(source.below(100)))
        elif kind == 6:
            made.append(char(source))
        else:
            made.append(source.pick(TEXTS))
    return "".join(made)


def value(source: Source, depth: int = 3) -> Any:
    """Return any JSON value."""
    kind = source.below(10 if depth else 7)
    if kind < 3:
        return source.pick(TEXTS)
    if kind < 5:
        return number(source)
    if kind < 7:
        return source.pick((None, True, False, "", [], {}))
    if kind < 9:
        return [value(source, depth - 1) for _ in range(source.below(4))]
    return {source.pick(TEXTS): value(source, depth - 1) for _ in range(source.below(4))}


def mutated(source: Source, whole: Any, words: Sequence[str] = (), most: int = 4) -> Any:
    """Return a copy of a valid value with up to ``most`` - 1 changes, each at one place of it."""
    for _ in range(source.below(most)):
        whole = _changed(source, whole, words)
    return whole


def _changed(source: Source, whole: Any, words: Sequence[str]) -> Any:
    """Go down to some place and change that."""
    if whole and isinstance(whole, Mapping) and not source.once_in(8):
        name = source.pick(list(whole))
        return {**whole, name: _changed(source, whole[name], words)}
    if whole and isinstance(whole, list) and not source.once_in(8):
        at = source.below(len(whole))
        return [*whole[:at], _changed(source, whole[at], words), *whole[at + 1 :]]
    return _replaced(source, whole, words)


def _replaced(source: Source, old: Any, words: Sequence[str]) -> Any:
    if source.once_in(3):
        return value(source)
    if isinstance(old, str):
        return _respelled(source, old, words)
    if isinstance(old, Mapping):
        return _rekeyed(source, dict(old))
    if isinstance(old, list):
        return _relisted(source, old)
    return number(source)


def _respelled(source: Source, old: str, words: Sequence[str]) -> str:
    kind, at = source.below(6), source.below(len(old) + 1)
    match kind:
        case 0:
            return text(source, words)
        case 1:
            return old[:at] + text(source, words) + old[at:]
        case 2:
            return old[:at] + old[at + 1 + source.below(3) :]
        case 3:
            return old[:at] + char(source) + old[at + 1 :]
        case 4:
            return old * (1 + source.below(200)) if len(old) < 2000 else old[:at]
        case _:
            return old[:at] + source.pick(TEXTS) + old[at:]


def _rekeyed(source: Source, old: dict[Any, Any]) -> Any:
    match source.below(4):
        case 0 if old:
            del old[source.pick(list(old))]
        case 1:
            old[source.pick(TEXTS)] = value(source)
        case 2 if len(old) > 1:
            one, other = source.pick(list(old)), source.pick(list(old))
            old[one], old[other] = old[other], old[one]
        case _:
            return list(old.items()) if source.once_in(4) else old
    return old


def _relisted(source: Source, old: list[Any]) -> Any:
    at = source.below(len(old)) if old else 0
    match source.below(5):
        case 0:
            return old[:at] + old[at + 1 :]
        case 1:
            return [*old, value(source)]
        case 2:
            return old[:at] + old[at : at + 1] * source.below(400) + old[at:]
        case 3:
            return old[::-1]
        case _:
            return old[:at]
