"""Files whose values become the elements of an array: read here, as the user, and sent as a list."""

from __future__ import annotations

import os

from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_items(options: dict[str, Any]) -> list[str]:
    """The values of ``--array-each-line`` or ``--array-from-json``. Raises InputError."""
    lines, listed = options.get("array_each_line"), options.get("array_from_json")
    if lines is not None and listed is not None:
        raise InputError("--array-each-line and --array-from-json exclude each other: give one of them")
    if "repeat" in options:
        raise InputError("--repeat excludes an array: give one of them")
    if lines is not None:
        return _lines(_read("--array-each-line", lines), lines)
    return _values(_read("--array-from-json", str(listed)), str(listed))


def _read(option: str, path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except OSError as error:
        raise InputError(f"{option}: {path!r} cannot be read: {error.strerror}") from None


def _lines(text: str, path: str) -> list[str]:
    """Every line is an element, an empty one too: so element N has line N + 1 whatever is in the file."""
    if not text:
        raise InputError(f"--array-each-line: {path!r} is empty: write a line for each element")
    if "\r\n" in text:
        raise InputError(
            rf"--array-each-line: {path!r} has DOS line breaks (\r\n): mend it with dos2unix FILE"
            r" or sed -i 's/\r$//' FILE"
        )
    return text.removesuffix("\n").split("\n")


def _values(text: str, path: str) -> list[str]:
    import json

    try:
        found = json.loads(text.removeprefix(_MARK), parse_constant=_no_number, parse_float=_finite)
    except ValueError as error:
        raise InputError(f"--array-from-json: {path!r} is not JSON: {str(error).partition(';')[0]}") from None
    except RecursionError:
        raise InputError(f"--array-from-json: {path!r} is nested too deep: pass such values in files") from None
    if not isinstance(found, list) or not found:
        raise InputError(f"--array-from-json: {path!r} must hold a list with a value for each element, such as [1, 2]")
    compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    try:
        return [each if isinstance(each, str) else compact(each) for each in found]
    except RecursionError:
        raise InputError(f"--array-from-json: {path!r} is nested too deep: pass such values in files") from None


#: what some editors put before a text in UTF-8
_MARK = "\ufeff"


def _no_number(word: str) -> float:
    """NaN and Infinity, which Python reads: elements that get them could read them nowhere else."""
    raise ValueError(f"it has {word}: write null or a text")


def _finite(word: str) -> float:
    """A number with a fraction or an exponent."""
    value = float(word)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {word[:40]} is too large: write it as a text")
    return value
