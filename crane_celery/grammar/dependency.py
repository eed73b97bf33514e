"""The ``--dependency`` language: which jobs must have done what before this one starts.

::

    expression := clause {"," clause}        all of them
                | clause {"?" clause}        any of them; never both separators
    clause     := kind ":" target ["+" delay] {":" target ["+" delay]} | "singleton"
    target     := id | id_4 | id_[4-9,12] | id_*

Inside a clause ``:`` is AND, a delay belongs to its own target: ``afterok:100:101+2h?after:102`` is (100 and 101 two
hours ago) or 102. Delays are minutes or unit words. A clock time as delay (``after:1+00:00:02``) is refused, since its
colons would read as more job ids. A full stop behind an id (``Job id allocated: 12.``) is passed over. Naming a job
twice is refused as far as the text shows it; the same job behind an element's plain id is the gateway's to find. Kinds
are lower case; beyond the document's four, ``aftercorr``, ``singleton``, ``afterexcept`` and ``expand`` are known here.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import job_id, quote, split_outside
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.duration import format_duration, format_units, parse_delay, parse_duration
from crane_celery.grammar.selector import parse_part, target_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: every kind of condition, in the order they are listed to people
KINDS = ("after", "afterok", "afternotok", "afterany", "aftercorr", "afterexcept", "expand", "singleton")
#: jobs that one dependency may name, far more than can be resolved
MAX_TERMS = 10_000
_TARGET = r"(?as)(\d+)(?:_(\d+|\*|\[[^\[\]]*\]))?\.?(?:\+(.*))?"
_CLOCK = r"(?a)\+((?:\d+-)?\d+(?::\d\d){1,2})(?=:|$)"
_SUSPECT = r"(?a)-|(?:^|:)0\d"
_HOW = "write such as afterok:100:101+30m,afterany:102"


class Term(NamedTuple):
    """One condition on one job, array or part of an array."""

    #: one of :data:`KINDS`
    kind: str
    #: the id of the job or array; 0 for ``singleton``, which names none
    job: int
    #: canonical index text of the elements meant, '' for the job or the whole array
    part: str
    #: seconds to wait after the condition came true
    delay: int


class Clause(NamedTuple):
    """Terms of one kind, all of which must hold."""

    terms: tuple[Term, ...]


class Dependency(NamedTuple):
    """A whole expression."""

    #: True when one clause is enough (``?``), False when all must hold (``,`` or a single clause)
    any_of: bool
    clauses: tuple[Clause, ...]


def parse_dependency(text: str) -> Dependency:
    """Read an expression; InputError names the part that is wrong and how to write it."""
    if not text:
        raise InputError(f"empty dependency: {_HOW}")
    if text.count(":") > MAX_TERMS:
        raise InputError(f"the dependency names more than {MAX_TERMS} jobs: name whole arrays, or a job between")
    every, either = split_outside(text, ","), split_outside(text, "?")
    if len(every) > 1 and len(either) > 1:
        raise InputError(f"bad dependency {quote(text)}: ',' (all) and '?' (any) cannot be mixed; use one of them")
    any_of = len(either) > 1
    seen = _Seen(text)
    return Dependency(any_of, tuple(_parse_clause(item, seen) for item in (either if any_of else every)))


def display_term(term: Term) -> str:
    """A condition as listings show it, the delay as a clock: ``afterok:100+01:00:00``. Not for parsing."""
    if term.kind == "singleton":
        return term.kind
    delay = f"+{format_duration(term.delay)}" if term.delay else ""
    return f"{term.kind}:{target_text(term.job, term.part)}{delay}"


class _Seen:
    """The targets met so far in one expression, to refuse what is named twice."""

    def __init__(self, text: str) -> None:
        """``text`` is the whole expression, for messages."""
        self.text = text
        self._whole: set[int] = set()
        self._single: dict[int, set[int]] = {}
        self._ranges: dict[int, list[IndexSet]] = {}

    def add(self, job: int, part: str) -> None:
        """Note a target; InputError when it overlaps an earlier one."""
        if not part:
            overlaps = job in self._whole or job in self._single or job in self._ranges
            self._whole.add(job)
        elif part.isdigit():
            index = int(part)
            singles = self._single.setdefault(job, set())
            overlaps = index in singles or any(index in ranges for ranges in self._ranges.get(job, ()))
            singles.add(index)
        else:
            indexes = IndexSet.parse(part)
            others = self._ranges.setdefault(job, [])
            overlaps = any(index in indexes for index in self._single.get(job, ()))
            overlaps = overlaps or any(other.ranks_of(indexes) for other in others)
            others.append(indexes)
        if overlaps or (part and job in self._whole):
            what = f"job {target_text(job, part)}" if job else "singleton"
            raise InputError(f"duplicate {what} in dependency {quote(self.text)}: name each job once")


def _parse_clause(item: str, seen: _Seen) -> Clause:
    """One clause; ``seen`` knows the whole text and the targets of the clauses before."""
    kind, colon, rest = item.partition(":")
    if kind not in KINDS:
        raise _unknown(kind, item, seen.text)
    if kind == "singleton":
        if colon:
            raise InputError(f"bad dependency {quote(item)}: singleton takes no job id; write singleton")
        seen.add(0, "")
        return Clause((Term(kind, 0, "", 0),))
    if not rest:
        raise InputError(f"dependency {quote(item)} names no job: write such as {kind}:100")
    _refuse_clock(item)
    return Clause(tuple(_parse_target(kind, target, seen) for target in split_outside(rest, ":")))


def _unknown(kind: str, item: str, text: str) -> InputError:
    """The error of a clause that does not begin with a known kind."""
    from crane_celery.grammar.names import did_you_mean

    if not item:
        return InputError(f"bad dependency {quote(text)}: a condition is missing at a separator; {_HOW}")
    if any(char.isspace() for char in kind):
        return InputError(f"bad dependency {quote(text)}: take out the blanks")
    stem = kind.rstrip("0123456789")
    if kind != stem and stem in KINDS:
        return InputError(f"bad dependency {quote(item)}: put a colon before the id, {stem}:{kind[len(stem) :][:20]}")
    hint = did_you_mean(kind, KINDS)
    return InputError(f"unknown dependency type {quote(kind)}{hint or '; types are ' + ' '.join(KINDS)}")


def _refuse_clock(item: str) -> None:
    """Refuse a delay written as a clock time, recognised by a day count or a zero-padded field."""
    for match in re.finditer(_CLOCK, item):
        if re.search(_SUSPECT, match[1]):
            seconds = parse_duration(match[1]) or 0
            raise InputError(
                f"bad delay {quote('+' + match[1])} in dependency {quote(item)}: ':' separates job ids here;"
                f" write +{format_units(seconds)}"
            )


def _parse_target(kind: str, target: str, seen: _Seen) -> Term:
    """One ``id[_part][+delay]``."""
    match = re.fullmatch(_TARGET, target)
    job = job_id(match[1]) if match else None
    if not match or job is None:
        raise InputError(
            f"bad job id {quote(target)} in dependency {quote(seen.text)}: write ids from 1, such as {kind}:100:101"
        )
    delay = 0 if match[3] is None else parse_delay(match[3])
    part = parse_part(match[2] or "")
    seen.add(job, part)
    return Term(kind, job, part, delay)
