"""The columns of ``cqueue`` by the names of a format (reference/cranesched.md section 1.4)."""

from __future__ import annotations

from cli.output import cells as cell
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


def or_dash(value: Any) -> str:
    """The value, ``-`` for none."""
    return value or "-"


def or_na(at: float) -> str:
    """A moment, ``N/A`` for none."""
    return cell.when(at) if at else "N/A"


def jobs() -> dict[str, Column]:
    """The columns of jobs."""
    made = {
        "j": text("JOBID", "jobid", whole=True),
        "F": text("ARRAYJOBID", "job"),
        "K": made_of("ARRAYTASKID", "indexes", lambda indexes: indexes or "N/A"),
        "P": text("PARTITION", "partition"),
        "n": text("NAME", "name"),
        "u": text("USER", "user"),
        "U": text("UID", "uid"),
        "a": made_of("ACCOUNT", "account", or_dash),
        "t": text("STATUS", "state"),
        "T": text("TYPE", "kind"),
        "e": Column("TIME", cell.elapsed, ("elapsed",)),
        "l": made_of("TIMELIMIT", "time_limit", cell.duration),
        "N": text("NODES", "nodes"),
        "L": Column("NODELIST/REASON", cell.where_or_why, ("state", "reason", "nodelist")),
        "R": text("REASON", "reason"),
        "S": made_of("STARTTIME", "began_at", or_na),
        "s": made_of("SUBMITTIME", "submitted_at", cell.when),
        "q": made_of("QOS", "qos", or_dash),
        "k": text("COMMENT", "comment"),
        "p": Column("PRIORITY", lambda row: "0" if row["held"] else cell.cpus(row["priority"]), ("priority", "held")),
        "c": made_of("ALLOCCPUS", "alloc_cpus", cell.cpus),
        "C": made_of("REQCPUS", "req_cpus", cell.cpus),
        "m": made_of("ALLOCMEMPERNODE", "alloc_memory", cell.memory),
        "M": made_of("REQMEMPERNODE", "req_memory", cell.memory),
        "Q": Column("REQCPUPERTASK", _cpus_per_task, ("req_cpus", "ntasks")),
        "h": made_of("HELD", "held", cell.yes),
        "X": made_of("EXCLUSIVE", "exclusive", cell.yes),
        "o": text("COMMAND", "command"),
        "r": made_of("REQNODES", "req_nodelist", cell.hosts_or_none),
        "x": made_of("EXCLUDENODES", "exclude", cell.hosts_or_none),
        "E": made_of("DEPENDENCY", "depends", lambda typed: typed or "(null)"),
        "wckey": text("WCKEY", "wckey"),
        "deadline": made_of("DEADLINE", "deadline", cell.when),
        "licenses": made_of("LICENSES", "licenses", or_dash),
        "begin": made_of("BEGINTIME", "begin", cell.when),
    }
    return by_header({**made, **{name: made[letter] for name, letter in _LONG.items()}})


#: other names of columns
_LONG = {
    **{"i": "j", "state": "t", "nodelist": "L"},
}


def _cpus_per_task(row: Any) -> str:
    return cell.cpus(row["req_cpus"] / max(1, row["ntasks"]))


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
