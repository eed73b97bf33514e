"""Define how commands name jobs, array elements and steps: ``12``, ``12.3``, ``12_4``, ``12_4.2``, ``12_[1-3,5]``.

A comma list, blanks around an item tolerated. A bare id is the job, or the whole array; ``12_*`` says the same (Slurm).
A step's id names a job by its plain id: ``12.3`` is a step of an array's first element, ``12_*.3`` of all of them.
Steps count from 1: step 0 is the job's own DAEMON step, which is looked at and never acted on.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import job_id, quote, split_outside, whole
from crane_celery.grammar.array import REQUEST_RUNS, IndexSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

_ITEM = r"(?a)(\d+)(?:_(\d+|\*|\[[^\[\]]*\]))?(?:\.(\d+))?"
#: the part that names all elements, where none named would be the first
ALL = "*"
#: ids, and ranges of elements, that one list may have
MAX_ITEMS = 100_000
_HOW = "write a job, element or step id, such as 12, 12_4, 12_[1-3,5], 12.3 or 12_4.2"


class Selector(NamedTuple):
    """One item of a list of ids."""

    #: the job's id, or the array's
    job: int
    #: canonical index text of the elements, '' when none are named, ALL for a step of all of them
    part: str
    #: the step's number from 1, or None for the job itself
    step: int | None


def parse_selectors(text: str, first_step: int = 1) -> tuple[Selector, ...]:
    """The items in the order written, each once; InputError for an empty list or item, or what is no id.

    ``first_step`` 0 admits the DAEMON step: it can be looked at, not acted on.
    """
    if text.count(",") >= MAX_ITEMS:
        raise InputError(f"the list has more than {MAX_ITEMS} ids and ranges: name whole arrays, or fewer at once")
    items = split_outside(text, ",")
    return tuple(dict.fromkeys(_parse_item(item.strip(" \t"), text, first_step) for item in items))


def format_selector(selector: Selector) -> str:
    """The text of one item, such as ``12_[1-3].2``; parses back to the same."""
    return target_text(selector.job, selector.part) + ("" if selector.step is None else f".{selector.step}")


def target_text(job: int, part: str) -> str:
    """A job with the elements it names: ``12``, ``12_4`` or ``12_[1-3]``."""
    if not part:
        return str(job)
    return f"{job}_{part}" if part.isdigit() or part == ALL else f"{job}_[{part}]"


def parse_part(text: str) -> str:
    """Canonical index text of what follows ``_``: an index, ``[indexes]``, or ``*`` and nothing for all ('')."""
    return "" if text in ("", ALL) else IndexSet.parse(text, max_runs=REQUEST_RUNS).text


def _parse_item(item: str, text: str, first_step: int) -> Selector:
    """One id; ``text`` is the whole list, for the message."""
    match = re.fullmatch(_ITEM, item)
    if not match:
        where = f" in {quote(text)}" if item != text else ""
        raise InputError(f"bad id {quote(item)}{where}: {_HOW}" if text.strip() else f"no id given: {_HOW}")
    job = job_id(match[1])
    step = None if match[3] is None else whole(match[3])
    if job is None:
        raise InputError(f"bad id {quote(item)}: job ids are whole numbers from 1, without leading zeros")
    if match[3] is not None and (step is None or step < first_step):
        raise InputError(f"bad id {quote(item)}: steps are numbered from 1, such as {match[1]}.1")
    part = ALL if step is not None and match[2] == ALL else parse_part(match[2] or "")
    return Selector(job, part, step)
