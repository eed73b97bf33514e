"""``NamedTuple`` without importing ``typing``.

``typing`` costs a user command about 3 ms on the reference machine, a quarter of a bare interpreter's start.
Modules write::

    TYPE_CHECKING = False
    if TYPE_CHECKING:
        from typing import NamedTuple
    else:
        from crane_celery.grammar._record import NamedTuple

so type checkers see the real thing (they treat that name as true) and the running program sees the twin below.
"""

from __future__ import annotations

import collections

#: under another name, since type checkers insist on literal field names for a direct call
_make_tuple = collections.namedtuple
_MACHINERY = frozenset({"__module__", "__qualname__", "__annotations__", "__dict__", "__weakref__"})


class _RecordMeta(type):
    """Turns an annotated class body into a ``collections.namedtuple`` with the body's methods on it."""

    def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, object]) -> type:
        """Build the tuple class; ``bases`` only serve to get here and are dropped, as ``typing`` does it."""
        if not bases:
            return type.__new__(mcs, name, bases, body)
        fields = _annotations(body)
        defaults = [body.pop(field) for field in tuple(fields) if field in body]
        record = _make_tuple(name, list(fields), defaults=defaults, module=str(body["__module__"]))
        for key, value in body.items():
            if key not in _MACHINERY:
                setattr(record, key, value)
        return record


def _annotations(body: dict[str, object]) -> dict[str, object]:
    """The fields of a class body, in the order written."""
    found = body.get("__annotations__", {})
    return found if isinstance(found, dict) else {}


class NamedTuple(metaclass=_RecordMeta):
    """Base for a class of typed fields, as ``typing.NamedTuple``; subclasses are plain tuples."""
