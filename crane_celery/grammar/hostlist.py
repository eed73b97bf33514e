"""Host lists: ``cn[1-3,5],gpu01`` and back.

Several brackets in a name multiply out, zero padding is kept (``[08-10]`` is 08 09 10), repeated names count once. The
folded form folds the last number of each name; it depends on the set of names only, not on their order.
"""

from __future__ import annotations

import re
from itertools import product

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, split_outside, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: the most names one list may stand for
MAX_NAMES = 1_000_000
_NAME = r"(?a)[A-Za-z0-9_.-]+"
_PIECES = r"(?a)([A-Za-z0-9_.-]+)|\[([^\[\]]*)\]"
_LAST_NUMBER = r"(?a)(.*?)(\d{1,18})(\D*)"
_HOW = "write names and numbered ranges, such as cn[1-3,5],gpu01"


def expand(text: str) -> list[str]:
    """The names of a host list in the order written, each once; the empty text has none. InputError when malformed."""
    names: dict[str, None] = {}
    for item in split_outside(text, ",") if text else ():
        choices: list[list[str]] = []
        size = 1
        for choice in _choices(item, text):
            size *= len(choice)
            if len(names) + size > MAX_NAMES:
                raise _too_many(text)
            choices.append(choice)
        names.update(dict.fromkeys(map("".join, product(*choices))))
    return list(names)


def compress(names: Iterable[str]) -> str:
    """The folded list of these names, sorted; InputError for a name that no list can hold."""
    groups: dict[tuple[str, str], set[str]] = {}
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise InputError(f"bad host name {quote(name)}: use letters, digits, '-', '_' and '.'")
        match = re.fullmatch(_LAST_NUMBER, name)
        prefix, number, suffix = match.groups() if match else (name, "", "")
        groups.setdefault((prefix, suffix), set()).add(number)
    return ",".join(_folded(*key, numbers) for key, numbers in sorted(groups.items()))


def in_order(names: Iterable[str]) -> str:
    """The folded list of these names in their order: only neighbours are folded. InputError as ``compress``."""
    runs: list[tuple[tuple[str, str], list[tuple[str, str]]]] = []
    for name in names:
        if not re.fullmatch(_NAME, name):
            raise InputError(f"bad host name {quote(name)}: use letters, digits, '-', '_' and '.'")
        match = re.fullmatch(_LAST_NUMBER, name)
        prefix, number, suffix = match.groups() if match else (name, "", "")
        if not number or not runs or runs[-1][0] != (prefix, suffix) or not runs[-1][1]:
            runs.append(((prefix, suffix), [(number, number)] if number else []))
            continue
        spans = runs[-1][1]
        if str(int(spans[-1][1]) + 1).zfill(len(spans[-1][1])) == number:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ",".join(_bracketed(*key, spans) for key, spans in runs)


def _too_many(text: str) -> InputError:
    """The error of a list above the cap."""
    return InputError(f"host list {quote(text)} stands for more than {MAX_NAMES} names: write a shorter one")


def _choices(item: str, text: str) -> Iterator[list[str]]:
    """The alternatives of each piece of one item: a literal has one, a bracket as many as it numbers."""
    at = 0
    for match in re.finditer(_PIECES, item):
        if match.start() != at:
            break
        at = match.end()
        yield [match[1]] if match[1] is not None else _numbers(match[2], text)
    if at != len(item) or not item:
        raise InputError(f"bad host list {quote(text)}: {_HOW}")


def _numbers(inside: str, text: str) -> list[str]:
    """The padded numbers of a bracket's ``1-3,5``."""
    found: list[str] = []
    for span in inside.split(","):
        left, dash, right = span.partition("-")
        right = right if dash else left
        low, high = whole(left, 10**18), whole(right, 10**18)
        if low is None or high is None or high < low or (right[0] == "0" and len(right) != len(left)):
            raise InputError(f"bad range {quote(span)} in host list {quote(text)}: {_HOW}")
        if high - low + len(found) >= MAX_NAMES:
            raise _too_many(text)
        found += [str(number).zfill(len(left)) for number in range(low, high + 1)]
    return found


def _folded(prefix: str, suffix: str, numbers: set[str]) -> str:
    """One group of names that differ in one number only; the bare name, if there is one, first."""
    spans: list[tuple[str, str]] = []
    for number in sorted(numbers - {""}, key=lambda digits: (len(digits), digits)):
        if spans and str(int(spans[-1][1]) + 1).zfill(len(spans[-1][1])) == number:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    items = [prefix + suffix] if "" in numbers else []
    return ",".join([*items, *([_bracketed(prefix, suffix, spans)] if spans else [])])


def _bracketed(prefix: str, suffix: str, spans: list[tuple[str, str]]) -> str:
    """``cn[1-3,5]``; without brackets where there is one number, or none."""
    inside = ",".join(low if low == high else f"{low}-{high}" for low, high in spans)
    return f"{prefix}[{inside}]{suffix}" if "," in inside or "-" in inside else f"{prefix}{inside}{suffix}"
