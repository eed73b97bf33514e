"""Reading a request's arguments: every one is checked for its type and size before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crane_celery.errors import InputError

#: characters of one ordinary argument
MAX_TEXT = 1 << 20
MAX_ITEMS = 100_000
Args = Mapping[str, Any]


def only(args: Args, *names: str) -> None:
    """Raise InputError for an argument of another name: a newer client's wish must not be ignored silently."""
    unknown = sorted(set(args) - set(names))
    if unknown:
        raise InputError(f"unknown argument {unknown[0][:60]!r}: known are {', '.join(names) or 'none'}")


def text(args: Args, name: str, default: str = "", limit: int = MAX_TEXT) -> str:
    """A text; the default when absent or null."""
    value = args.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or len(value) > limit:
        raise InputError(f"argument {name} must be a text of at most {limit} characters")
    return value


def flag(args: Args, name: str) -> bool:
    """A truth value; absent is false."""
    value = args.get(name, False)
    if not isinstance(value, bool):
        raise InputError(f"argument {name} must be true or false")
    return value


def number(args: Args, name: str, default: int = 0, low: int = 0, high: int = 2**63 - 1) -> int:
    """A whole number from ``low`` to ``high``; the default when absent or null."""
    value = args.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"argument {name} must be a whole number from {low} to {high}")
    return value


def texts(args: Args, name: str, limit: int = MAX_ITEMS) -> tuple[str, ...]:
    """A list of texts; absent or null is none."""
    value = args.get(name) or []
    if not isinstance(value, list) or len(value) > limit or not all(isinstance(each, str) for each in value):
        raise InputError(f"argument {name} must be a list of at most {limit} texts")
    if any(len(each) > MAX_TEXT for each in value):
        raise InputError(f"argument {name} has an item of more than {MAX_TEXT} characters")
    return tuple(value)


def mapping(args: Args, name: str) -> dict[str, Any]:
    """An object; absent or null is empty."""
    value = args.get(name) or {}
    if not isinstance(value, dict):
        raise InputError(f"argument {name} must be an object")
    return value
