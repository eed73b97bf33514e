"""Licences: ``name[@server]:N`` joined by ``,`` (all of them) or ``|`` (any of them), never both.

Names are letters only (CraneSched); without a count one is meant.
"""

from __future__ import annotations

import re

from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from crane_celery.grammar._record import NamedTuple

#: the most of one licence a job may ask for
MAX_COUNT = 2**31 - 1
_ITEM = r"(?a)([A-Za-z]+)(?:@([A-Za-z0-9._-]+))?(?::(\d+))?"


class License(NamedTuple):
    """A number of one licence."""

    name: str
    #: the server that gives it out, '' for a licence of the cluster itself
    server: str
    #: how many, at least 1
    number: int


class LicenseRequest(NamedTuple):
    """A whole ``--licenses`` value."""

    #: True when one of the items is enough (``|``)
    any_of: bool
    items: tuple[License, ...]


def parse_licenses(text: str) -> LicenseRequest:
    """Read a ``--licenses`` value; InputError when malformed, mixed, of count 0 or naming a licence twice."""
    if "," in text and "|" in text:
        raise InputError(f"bad licenses {quote(text)}: ',' (all) and '|' (any) cannot be mixed; use one of them")
    any_of = "|" in text
    items = tuple(_parse_item(item, text) for item in text.split("|" if any_of else ","))
    if len({item[:2] for item in items}) < len(items):
        raise InputError(f"a license is named twice in {quote(text)}: write it once, with the total")
    return LicenseRequest(any_of, items)


def format_licenses(request: LicenseRequest) -> str:
    """The canonical text; parses back to the same."""
    return ("|" if request.any_of else ",").join(
        f"{item.name}{'@' if item.server else ''}{item.server}:{item.number}" for item in request.items
    )


def _parse_item(item: str, text: str) -> License:
    """One licence; ``text`` is the whole value, for the message."""
    match = re.fullmatch(_ITEM, item)
    number = whole(match[3] or "1", MAX_COUNT) if match else None
    if not match or not number:
        raise InputError(
            f"bad license {quote(item)} in {quote(text)}: write name, name:count or name@server:count, such as matlab:2"
        )
    return License(match[1], match[2] or "", number)
