"""Generic resources: ``gpu:a100:2,fpga:1`` (per node), and the short form of ``--gpus-per-node``.

``name[:type]:count``, the count always written (so ``gpu:2`` cannot be a type), a count of 0 ignored (CraneSched).
The value is a mapping (name, type) -> count with '' for no particular type.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

Gres = dict[tuple[str, str], int]

#: the most of one resource a node may be asked for
MAX_COUNT = 2**31 - 1
_WORD = r"(?a)[A-Za-z0-9_][A-Za-z0-9_.-]*"


def parse_gres(text: str) -> Gres:
    """Counts by (name, type); InputError when malformed or a resource is named twice."""
    found: Gres = {}
    for item in text.split(","):
        fields = item.split(":")
        count = whole(fields[-1], MAX_COUNT)
        if len(fields) not in (2, 3) or count is None or not all(re.fullmatch(_WORD, field) for field in fields[:-1]):
            raise InputError(f"bad gres {quote(item)}: write name:count or name:type:count, such as gpu:a100:2,fpga:1")
        _add(found, (fields[0], "" if len(fields) == 2 else fields[1]), count, text)
    return {key: count for key, count in found.items() if count}


def parse_gpus_per_node(text: str) -> Gres:
    """``N``, or ``type:N[,type:N]``, as counts by ("gpu", type); InputError when malformed or the forms are mixed."""
    count = whole(text, MAX_COUNT)
    if count is not None:
        return {("gpu", ""): count} if count else {}
    found: Gres = {}
    for item in text.split(","):
        kind, _, digits = item.partition(":")
        count = whole(digits, MAX_COUNT)
        if count is None or not re.fullmatch(_WORD, kind):
            raise InputError(f"bad gpu count {quote(text)}: write a number, or types such as a100:2,h100:1, not both")
        _add(found, ("gpu", kind), count, text)
    return {key: count for key, count in found.items() if count}


def _add(found: Gres, key: tuple[str, str], count: int, text: str) -> None:
    """Note a count; InputError when the resource was named before."""
    if key in found:
        name = ":".join(filter(None, key))
        raise InputError(f"{name} is named twice in {quote(text)}: write it once, with the total")
    found[key] = count
