"""The columns of ``cacct`` by the names of a format (reference/cranesched.md section 1.8)."""

from __future__ import annotations

from cli.output.job_columns import past
from cli.output.render import Column, by_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT = "%j %n %P %a %c %t %e %D %maxrss %L"
SUMMARY = "%j %n %P %a %total %pending %running %completed %failed %cancelled %timeout %oom %deadlined"
#: follows the default and the full columns where a row has any
DEATHS = "%O"
FULL = "%j %n %u %P %N %a %C %M %c %m %t %l %S %E %s %q %X %h %p %L %e %wckey %deadline %D %maxrss"


def columns() -> dict[str, Column]:
    """The columns by the names of a format."""
    return by_header(past())


def summary_columns() -> dict[str, Column]:
    """The columns of an array's counts."""

    def of(*states: str) -> Any:
        return lambda row: str(sum(row["counts"].get(state, 0) for state in states))

    return {
        "total": Column("TOTAL", lambda row: str(row["count"])),
        "pending": Column("PENDING", of("Pending")),
        "running": Column("RUNNING", of("Starting", "Running", "Completing", "Suspended")),
        "completed": Column("COMPLETED", of("Completed")),
        "failed": Column("FAILED", of("Failed")),
        "cancelled": Column("CANCELLED", of("Cancelled")),
        "timeout": Column("TIMEOUT", of("ExceedTimeLimit")),
        "oom": Column("OOM", of("OutOfMemory")),
        "deadlined": Column("DEADLINED", of("Deadline")),
    }
