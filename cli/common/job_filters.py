"""Conditions of listings and of ccancel on what jobs asked for, as the table of job fields has them."""

from __future__ import annotations

from cli.common.options import split_list
from crane_celery.model.fields.known import KNOWN
from crane_celery.model.fields.options import OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from cli.common.options import Parser

_FILTERS = [field.filter for field in (*KNOWN, *OPTIONS) if field.filter and field.filter.options]


def add_filters(parser: Parser) -> None:
    """Add the options of all conditions that the command has."""
    for each in _FILTERS:
        if parser.prog in each.commands.split():
            parser.add_argument(*each.options.split(), metavar="LIST", help=each.help)


def filters_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was asked for by each condition that was given, as the gateway takes it."""
    given = ((each.name, vars(options).get(each.options.split()[-1].lstrip("-"))) for each in _FILTERS)
    return {name: split_list(value) for name, value in given if value}
