"""``--ids``: the ids of what a listing would list, one a line and one of each array, for other commands."""

from __future__ import annotations

from cli.common import truncation
from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def print_ids(options: argparse.Namespace, verb: str, asked: dict[str, Any], which: str) -> int:
    """Ask for the ids and print them, all of them unless ``--max-lines`` was given. Raises InputError where something
    else was asked for as well."""
    for name, option in (("json", "--json"), ("format", "-o"), ("full", "-F"), ("array_summary", "--array-summary")):
        if getattr(options, name, None):
            raise InputError(f"--ids excludes {option}: give one of them")
    from cli.output.render import print_lines
    from crane_celery.gateway.client import call

    asked.pop("count", None)
    answer = call(verb, {**asked, "ids": True, "limit": options.max_lines or 0})
    print_lines(answer["ids"])
    truncation.tell(answer["shown"], answer["total"], exact=answer.get("exact", True), which=which, what="jobs")
    return 0
