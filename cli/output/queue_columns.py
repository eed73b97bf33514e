"""The columns of ``cqueue`` by the names of a format (reference/cranesched.md section 1.4)."""

from __future__ import annotations

from cli.output import cells as cell
from cli.output.job_columns import live
from cli.output.render import Column, by_header
from cli.output.table import Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEFAULT = "%j %P %n %u %a %t %T %e %l %N %L"
FULL = "%j %n %u %P %a %N %C %M %c %m %t %e %l %S %s %T %q %X %h %p %L %deadline"
STEPS = "%i %n %P %u %e %L"
FULL_STEPS = "%i %j %n %P %u %U %t %e %l %N %a %q %o %L"


def text(header: str, key: str, whole: bool = False) -> Column:
    """A column that is the text of one key."""
    return Column(header, Text(key), (key,), whole)


def made_of(header: str, key: str, show: Callable[[Any], str]) -> Column:
    """A column made of the value of one key."""
    return Column(header, lambda row: show(row[key]), (key,))


def jobs() -> dict[str, Column]:
    """The columns of jobs."""
    return by_header(live())


def steps() -> dict[str, Column]:
    """The columns of steps."""
    made = {
        "i": text("STEPID", "stepid", whole=True),
        "j": text("JOBID", "jobid", whole=True),
        "n": text("NAME", "name"),
        "P": text("PARTITION", "partition"),
        "u": text("USER", "user"),
        "U": text("UID", "uid"),
        "e": Column("TIME", cell.elapsed),
        "L": made_of("NODELIST", "nodelist", cell.hosts),
        "t": text("STATUS", "state"),
        "l": made_of("TIMELIMIT", "time_limit", cell.duration),
        "N": text("NODES", "nodes"),
        "a": text("ACCOUNT", "account"),
        "q": text("QOS", "qos"),
        "o": text("COMMAND", "command"),
    }
    return by_header(made)
