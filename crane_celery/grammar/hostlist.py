"""Host lists: ``cn[1-3,5],gpu01`` and back.

Several brackets in a name multiply out, zero padding is kept (``[08-10]`` is 08 09 10), repeated names count once. How
many names a list stands for is computed before any is made: a few characters could stand for a million. The folded
form folds the last number of each name; it depends on the set of names only, not on their order.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, split_outside, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: the most names that the lists of one request may stand for together
MAX_NAMES = 65_536
#: the most that one list may stand for where it costs only the process of who wrote it
MAX_OWN_NAMES = 1_000_000
#: low, high, digits to pad to
Span = tuple[int, int, int]
#: a part of a name as it is, or the numbers of a bracket
Piece = str | list[Span]
#: characters of a name: as many as a host name of the network can have
_LONGEST = 253
_NAME = r"(?a)[A-Za-z0-9_.-]+"
_PIECES = r"(?a)([A-Za-z0-9_.-]+)|\[([^\[\]]*)\]"
_LAST_NUMBER = r"(?a)(.*?)(\d{1,18})(\D*)"
_HOW = "write names and numbered ranges, such as cn[1-3,5],gpu01"


def expand(text: str, most: int = MAX_NAMES) -> list[str]:
    """Return the names of a host list in the order written, each once; the empty text has none.

    Raises InputError when malformed, and for more than ``most`` names, before any of them is made.
    """
    return list(dict.fromkeys(each_name((text,), most)))


def expand_all(texts: Iterable[str], most: int = MAX_NAMES) -> list[str]:
    """Return the names of several host lists, each once; InputError as ``expand``, ``most`` being of all together."""
    return list(dict.fromkeys(each_name(texts, most)))


def each_name(texts: Iterable[str], most: int = MAX_NAMES) -> Iterator[str]:
    """Yield the names of host lists one by one, repeated ones again. InputError as ``expand``, before the first name
    of the list that is malformed or one too many."""
    total = 0
    for text in texts:
        items = [_pieces(item, text) for item in split_outside(text, ",")] if text else []
        total += sum(_size(pieces) for pieces in items)
        if total > most:
            raise InputError(f"host list {quote(text)} stands for more than {most} names: write a shorter one")
        for pieces in items:
            yield from _multiplied(pieces)


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


def _pieces(item: str, text: str) -> list[Piece]:
    """The pieces of one item: a literal, or the spans of a bracket."""
    found: list[Piece] = []
    at = 0
    for match in re.finditer(_PIECES, item):
        if match.start() != at:
            break
        at = match.end()
        found.append(match[1] if match[1] is not None else [_span(each, text) for each in match[2].split(",")])
    if at != len(item) or not item:
        raise InputError(f"bad host list {quote(text)}: {_HOW}")
    if sum(len(each) for each in found if isinstance(each, str)) > _LONGEST:
        raise InputError(f"bad host list {quote(text)}: no host has a name of more than {_LONGEST} characters")
    return found


def _span(span: str, text: str) -> Span:
    """One ``1-3`` or ``5`` of a bracket."""
    left, dash, right = span.partition("-")
    right = right if dash else left
    low, high = whole(left, 10**18), whole(right, 10**18)
    if low is None or high is None or high < low or (right[0] == "0" and len(right) != len(left)):
        raise InputError(f"bad range {quote(span)} in host list {quote(text)}: {_HOW}")
    return low, high, len(left)


def _size(pieces: list[Piece]) -> int:
    """Return how many names an item stands for."""
    return prod(sum(high - low + 1 for low, high, _ in each) for each in pieces if not isinstance(each, str))


def _multiplied(pieces: list[Piece]) -> Iterator[str]:
    """Yield the names of one item, the last bracket running fastest; the numbers of its first one are never a list."""
    first = next((at for at, each in enumerate(pieces) if not isinstance(each, str)), len(pieces))
    head = "".join(each for each in pieces[:first] if isinstance(each, str))
    if first == len(pieces):
        yield head
        return
    rest = [[each] if isinstance(each, str) else list(_numbers(each)) for each in pieces[first + 1 :]]
    for number in _numbers(pieces[first]):
        for tail in product(*rest):
            yield f"{head}{number}{''.join(tail)}"


def _numbers(spans: Piece) -> Iterator[str]:
    """Yield the padded numbers of a bracket."""
    for low, high, width in spans if not isinstance(spans, str) else ():
        for number in range(low, high + 1):
            yield f"{number:0{width}d}"


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
