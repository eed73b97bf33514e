"""The columns of ``cacct`` by the names of a format (reference/cranesched.md section 1.8)."""

from __future__ import annotations

from cli.output import cells as cell
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

    def text(key: str) -> Any:
        return lambda row: str(row[key])

    def moment(key: str) -> Any:
        return lambda row: cell.when(row[key])

    made = {
        "a": Column("ACCOUNT", text("account")),
        "C": Column("REQCPUS", lambda row: cell.cpus(row["req_cpus"])),
        "c": Column("ALLOCCPUS", lambda row: cell.cpus(row["alloc_cpus"])),
        "D": Column("ELAPSEDTIME", cell.elapsed),
        "E": Column("ENDTIME", moment("ended_at")),
        "e": Column("EXITCODE", exit_code),
        "h": Column("HELD", lambda row: cell.yes(row.get("held"))),
        "j": Column("JOBID", text("jobid")),
        "K": Column("WCKEY", text("wckey")),
        "k": Column("COMMENT", text("comment")),
        "L": Column("NODELIST", lambda row: cell.hosts_or_none(row["nodelist"])),
        "l": Column("TIMELIMIT", lambda row: cell.duration(row["time_limit"])),
        "M": Column("REQMEMPERNODE", lambda row: cell.memory(row["req_memory"])),
        "m": Column("ALLOCMEMPERNODE", lambda row: cell.memory(row["alloc_memory"])),
        "N": Column("NODENUM", text("nodes")),
        "n": Column("JOBNAME", text("name")),
        "P": Column("PARTITION", text("partition")),
        "p": Column("PRIORITY", lambda row: cell.cpus(row["priority"])),
        "q": Column("QOS", text("qos")),
        "R": Column("REASON", text("reason")),
        "r": Column("REQNODES", lambda row: cell.hosts_or_none(row["req_nodelist"])),
        "S": Column("STARTTIME", moment("began_at")),
        "s": Column("SUBMITTIME", moment("submitted_at")),
        "T": Column("JOBTYPE", lambda row: row.get("type") or row["kind"]),
        "t": Column("STATE", text("state")),
        "u": Column("USERNAME", text("user")),
        "U": Column("UID", text("uid")),
        "X": Column("EXCLUSIVE", lambda row: cell.yes(row["exclusive"])),
        "x": Column("EXCLUDENODES", lambda row: cell.hosts_or_none(row["exclude"])),
        "F": Column("ARRAYJOBID", lambda row: str(row["job"]) if row["array"] else ""),
        "arrayspec": Column("ARRAYSPEC", array_spec),
        "arraytaskid": Column("ARRAYTASKID", lambda row: "" if row["index"] is None else str(row["index"])),
        "deadline": Column("DEADLINE", moment("deadline")),
        "run": Column("RUN", text("run")),
        "cputime": Column("CPUTIME", lambda row: "-" if row["cpu_s"] is None else f"{row['cpu_s']:.2f}"),
        "O": Column("MEMORYDEATHS", lambda row: str(row["memory_deaths"])),
        "maxrss": Column("MAXRSS", lambda row: cell.memory(row["memory_peak"]) if row["memory_peak"] else "-"),
    }
    return by_header(made)


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


def exit_code(row: dict[str, Any] | Any) -> str:
    """``code:signal``, as crane_celery.model.states.show_code has it."""
    code: int = row["code"]
    return f"{code}:0" if code < 256 else f"0:{code - 256}"


def array_spec(row: dict[str, Any] | Any) -> str:
    """The indexes asked for, with the limit on how many run at once: ``0-9:2%3``."""
    return f"{row['array']}%{row['throttle']}" if row["throttle"] else str(row["array"])
