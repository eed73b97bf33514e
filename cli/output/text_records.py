"""Full records as text, line by line as ``ccontrol show`` prints them (reference/cranesched.md section 1.6). Pure."""

from __future__ import annotations

from cli.output.cells import cpus, duration, elapsed, gres, hosts, hosts_or_none, memory, when, yes
from cli.output.id_text import brief
from crane_celery.grammar.printable import shown_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    Record = Mapping[str, Any]


def text(what: str, records: Sequence[Record]) -> str:
    """All records, one empty line between two. Each text of a record is escaped, whatever it is."""
    return "\n\n".join(_PRINTERS[what](shown_record(record)) for record in records) or f"No {what}s."


def job(row: Record) -> str:
    """A job, an element, or the pending part of an array."""
    lines = [
        " ".join([f"JobId={row['id']}", *_array(row), f"JobName={row['name']}"]),
        f"User={row['user']}({row['uid']}) GroupId={group(row['gid'])}({row['gid']})"
        f" Account={row['account'] or 'None'}",
        f"JobState={row['state']} Reason={row['reason'] or 'None'} RunTime={elapsed(row)}"
        f" TimeLimit={duration(row['time_limit'])} SubmitTime={when(row['submitted_at'])}",
        f"StartTime={when(row['began_at'])} EndTime={when(row['ended_at'])} Partition={row['partition']}"
        f" NodeList={hosts_or_none(row['nodelist'])} ExecutionHost={(row['nodelist'] or ['None'])[0]}",
        *([f"SuspendedTime={duration(round(row['suspended_s']))}"] if round(row["suspended_s"]) else []),
        f"EligibleTime={when(row['eligible_at'])} Deadline={when(row['deadline'])} Type={row['kind']}"
        f" Requeue={_REQUEUE[row['requeue']]} Restarts={row['restarts']}",
        f'CmdLine="{row["command"]}" Workdir={row["cwd"]}',
        f"StdIn={row['stdin']} StdOut={row['stdout']} StdErr={row['stderr']}",
        f"Priority={0 if row['held'] else cpus(row['priority'])} Qos={row['qos'] or 'None'}"
        f" CpusPerTask={cpus(row['cpus_per_task'])} MemPerNode={memory(row['req_memory'])}",
        f"ReqRes:node={row['nodes']} cpu={row['req_cpus']:.2f} mem={memory(row['req_memory'] * row['nodes'])}"
        f" gres={gres(row['gres'])}",
        *_held_resources(row),
        f"ReqNodeList={hosts_or_none(row['req_nodelist'])} ExcludeNodeList={hosts_or_none(row['exclude'])}",
        f"Exclusive={yes(row['exclusive'])} Comment={row['comment'] or 'None'} Wckey={row['wckey'] or 'None'}",
        *_where_set(row, Licenses="licenses", Constraint="constraint", Signal="signal", MaxFails="max_fails"),
        *_where_set(row["extra"], MailUser="mail_user", MailType="mail_type"),
        *([dependency(row["dependency"])] if row["dependency"] else []),
        *_exit(row),
        f"SubmitNode={row['submit_host']}",
    ]
    return "\n\t".join(lines)


#: after which ends another run follows -> how that is shown
_REQUEUE = {"never": "no", "node": "node", "failure": "yes"}


def _where_set(row: Record, **shown: str) -> list[str]:
    """One line of those that have a value; none where none has."""
    found = " ".join(f"{name}={row[key]}" for name, key in shown.items() if row.get(key))
    return [found] if found else []


def group(gid: int) -> str:
    """The name of a group, its number where this host knows none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _array(row: Record) -> list[str]:
    if row["array_job_id"] is None:
        return []
    throttle = [f"ArrayTaskThrottle={row['throttle']}"] if row["throttle"] else []
    return [f"ArrayJobId={row['array_job_id']}", f"ArrayTaskId={row.get('indexes') or row['index']}", *throttle]


def _held_resources(row: Record) -> list[str]:
    if not row["nodelist"] or row["ended_at"]:
        return []
    return [f"AllocRes:node={len(row['nodelist'])} cpu={row['alloc_cpus']:.2f} mem={memory(row['alloc_memory'])}"]


def _exit(row: Record) -> list[str]:
    """The exit code of what has ended, as ``code:signal``."""
    if not row["ended_at"]:
        return []
    code = row["code"]
    deaths = f" MemoryDeaths={row['memory_deaths']}" if row["memory_deaths"] else ""
    return [f"ExitCode={f'{code}:0' if code < 256 else f'0:{code - 256}'}{deaths}"]


def dependency(shown: Record) -> str:
    """``Dependency=PendingDependencies=afterok:100+01:00:00 Status=WaitForAll Detail=...``"""
    status = shown["status"]
    if status == "ReadyAfter":
        status = f"ReadyAfter {when(shown['ready_at'])}"
    pending = shown["pending"] or "(null)"
    return f"Dependency=PendingDependencies={pending} Status={status} Detail={shown['detail']}"


def step(row: Record) -> str:
    """A step."""
    limit = "UNLIMITED" if row["time_limit"] is None else duration(row["time_limit"])
    began = when(row["began_at"]).replace(" ", "T")
    lines = [
        f"StepId={row['stepid']} UserId={row['uid']} StartTime={began} TimeLimit={limit}",
        f"State={row['state'].upper()} Partition={row['partition']} NodeList={hosts(row['nodelist']) or '(null)'}",
        f"Nodes={row['nodes']} CPUs={cpus(row['alloc_cpus'])} Tasks={row['ntasks']} Name={row['name']}",
        f"GRES=cpu={cpus(row['alloc_cpus'])},mem={memory(row['alloc_memory'])},node={row['nodes']}",
    ]
    return "\n   ".join(lines)


def node(row: Record) -> str:
    """A node."""
    lines = [
        f"NodeName={row['name']} State={row['shown']} CPU={cpus(row['cpus'])} AllocCPU={cpus(row['alloc_cpus'])}"
        f" FreeCPU={cpus(row['free_cpus'])}",
        f"RealMemory={memory(row['memory'])} AllocMem={memory(row['alloc_memory'])}"
        f" FreeMem={memory(row['free_memory'])}",
        f"Gres={gres(row['gres'])} AllocGres={gres(row['alloc_gres'])} FreeGres={gres(row['free_gres'])}",
        f"Partition={','.join(row['partitions']) or 'None'} RunningJob={','.join(map(str, row['jobs'])) or 'None'}"
        f" Version={row['version'] or 'unknown'}",
        f"Host={row['host'] or 'unknown'} CgroupDriver={row['driver'] or 'unknown'} LastHeard={when(row['heard_at'])}",
        *([f"Features={','.join(row['features'])}"] if row["features"] else []),
        *([f"Reason={row['reason']}"] if row["reason"] else []),
    ]
    return "\n\t".join(lines)


def partition(row: Record) -> str:
    """A partition."""
    lines = [
        f"PartitionName={row['name']} State={'UP' if row['up'] else 'DOWN'} Default={yes(row['default'])}",
        f"TotalNodes={row['total_nodes']} AliveNodes={row['alive_nodes']}",
        f"TotalCPU={cpus(row['total_cpus'])} AvailCPU={cpus(row['avail_cpus'])} AllocCPU={cpus(row['alloc_cpus'])}",
        f"TotalMem={memory(row['total_memory'])} AvailMem={memory(row['avail_memory'])}"
        f" AllocMem={memory(row['alloc_memory'])}",
        f"DefaultTime={duration(row['default_time'])} MaxTime={duration(row['max_time'])} Priority={row['priority']}",
        f"DefaultMemPerCPU={memory(row['default_memory_per_cpu'])} MaxMemPerCPU={memory(row['max_memory_per_cpu'])}"
        f" DefaultMemPerNode={memory(row['default_memory_per_node'])}"
        f" MaxMemPerNode={memory(row['max_memory_per_node'])}",
        f"MaxSubmitJobs={_or_none(row['max_submit_jobs'])} MaxJobs={_or_none(row['max_jobs'])}"
        f" MaxArrayCount={_or_none(row['max_array_count'])}",
        f"HostList={hosts_or_none(row['nodes'])}",
    ]
    return "\n\t".join(lines)


def _or_none(limit: int) -> str:
    """A limit of which 0 means that there is none."""
    return str(limit) if limit else "None"


def lic(row: Record) -> str:
    """A licence."""
    return (
        f"LicenseName={row['name']}\n\tTotal={row['total']} Used={row['used']} Free={row['free']}"
        f" Reserved={row['reserved']} Remote=no"
    )


def dependents(row: Record) -> str:
    """A job and what waits on it: ``{"jobid", "dependents": [{"jobid", "state", "text"}, ...]}``."""
    lines = [f"{each['jobid']} {each['state']} {each['text']}" for each in row["dependents"]]
    return "\n\t".join([f"JobId={brief(row['jobid'])} Dependents={len(lines)}", *lines])


def config(row: Record) -> str:
    """The configuration, a line for each setting."""
    return "\n".join(f"{key} = {_plain(value)}" for key, value in sorted(_flat("", row)))


def _flat(before: str, row: Record) -> Iterator[tuple[str, object]]:
    """Settings with the names of their groups before them: ``priority.weight_age``."""
    for key, value in row.items():
        if isinstance(value, dict) and value:
            yield from _flat(f"{before}{key}.", value)
        else:
            yield f"{before}{key}", value


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_PRINTERS: dict[str, Callable[[Record], str]] = {
    "job": job,
    "step": step,
    "node": node,
    "partition": partition,
    "config": config,
    "lic": lic,
    "dependents": dependents,
}
