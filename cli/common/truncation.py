"""Define what a listing says when it leaves something out: on stderr, where it breaks no pipe, or as a field of
``--json``."""

from __future__ import annotations

from cli.common.main import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def tell(shown: int, total: int, *, exact: bool = True, which: str = "first", what: str = "lines") -> None:
    """Say how many of how many are shown, if not all are; unless ``exact`` there are that many at least."""
    if total > shown:
        least = "" if exact else "at least "
        complain(
            f"only the {which} {shown} of {least}{total} {what} are shown, {least}{total - shown} are left out;"
            " see --max-lines",
            "",
        )


def left_out(shown: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say so: ``left_out``; ``left_out_at_least`` where that was not counted to the end."""
    found = {"left_out": max(0, answer["total"] - shown)}
    return found if answer.get("exact", True) else {**found, "left_out_at_least": True}


def max_lines(given: int | None) -> None:
    """Raise InputError for a number of lines that is none."""
    if given is not None and given < 1:
        from crane_celery.errors import InputError

        raise InputError(f"--max-lines: {given} is not a number from 1")
