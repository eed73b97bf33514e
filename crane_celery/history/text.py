"""Text of users in a database that takes Unicode only, the same on the way back.

Paths and comments may hold bytes that are no UTF-8, which Python keeps as lone surrogates, and characters that
PostgreSQL does not take (NUL). Such a text is stored as a marker, a character that Unicode reserves for a program's own
use, and the text as JSON in ASCII; so is one that begins with the marker. All others are stored as they are.
"""

import json
from typing import Any

from sqlalchemy import String
from sqlalchemy import Text as PlainText
from sqlalchemy.types import TypeDecorator

_MARK = "\ufdd0"


def stored(text: str) -> str:
    """Return a text as the database has it."""
    if text.isascii():
        return text if "\0" not in text else _MARK + json.dumps(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _MARK + json.dumps(text)
    return _MARK + json.dumps(text) if text[0] == _MARK or "\0" in text else text


def loaded(text: str) -> str:
    """Return a text as it was given."""
    if text.isascii() or text[0] != _MARK:
        return text
    value: str = json.loads(text[1:])
    return value


class _Any(TypeDecorator[str]):
    """Text of any characters."""

    impl = PlainText
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return what goes to the database."""
        del dialect
        return value if value is None else stored(value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        """Return what came from the database."""
        del dialect
        return value if value is None else loaded(value)


class AnyText(_Any):
    """Text of any length."""

    cache_ok = True


class AnyString(_Any):
    """Text that is searched by."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        """Return the database's own type."""
        return dialect.type_descriptor(String())
