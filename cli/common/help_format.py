"""``--helpformat`` of listings: each column with its letter, its name and what it means; docs/commands has the same."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cli.common.options import Formats
    from cli.output.render import Column

#: header -> what a cell of it says
MEANINGS = {
    "ACCOUNT": "the account that it is charged to",
    "ALLOCCPUS": "CPUs that it holds, over all nodes",
    "ALLOCMEMPERNODE": "memory that it holds on each node",
    "ARRAYJOBID": "the id of its array",
    "ARRAYSPEC": "the indexes of its array as submitted, with the limit on how many run at once",
    "ARRAYTASKID": "its index in the array, or the indexes that share the line",
    "AVAIL": "whether the partition takes jobs: up or down",
    "BEGINTIME": "the moment before which it does not start",
    "CANCELLED": "elements that were cancelled",
    "COMMAND": "the script or program",
    "COMMENT": "the comment of its submission",
    "COMPLETED": "elements that ended with exit code 0",
    "CPUS(USED/FREE/ALL)": "CPUs that jobs hold, that are free, and all of them",
    "CPUTIME": "CPU seconds that its processes used",
    "DEADLINE": "the moment by which it must have ended",
    "DEADLINED": "elements that were ended by their deadline",
    "DEPENDENCY": "what it waits for, as submitted",
    "ELAPSEDTIME": "how long it ran, up to now if it still does, without suspensions",
    "ENDTIME": "when it ended",
    "EXCLUDENODES": "nodes that it must not use",
    "EXCLUSIVE": "whether nobody else may be on its nodes",
    "EXITCODE": "its exit code, and the signal that ended it: code:signal",
    "FAILED": "elements that failed",
    "FREEGRES": "generic resources that are free",
    "GRES(USED/ALL)": "generic resources such as GPUs: those that jobs hold, and all of them",
    "HELD": "whether it is held",
    "JOBID": "the job, or the elements of an array: 12, 36_1, 36_[2-5]",
    "JOBNAME": "the name of the job, or of the step",
    "JOBTYPE": "Batch, Interactive or Container; the kind of a step",
    "LICENSES": "the licences that it asks for",
    "LOAD": "how many processes the node's host runs or waits to run, on average over a minute",
    "MAXRSS": "the most memory that it used on a node; - where that is not known",
    "MEM(USED/FREE/ALL)": "memory that jobs hold, that is free, and all of it",
    "MEMORYDEATHS": "processes that were killed for want of memory",
    "NAME": "the name of the job, or of the step",
    "NODE": "the node",
    "NODELIST": "nodes",
    "NODELIST/REASON": "the nodes of what runs, the reason of what waits",
    "NODENUM": "number of nodes",
    "NODES": "number of nodes",
    "OOM": "elements that ran out of memory",
    "PARTITION": "the partition; of cinfo with * the default one",
    "PENDING": "elements that wait",
    "PRIORITY": "the priority; 0 while it is held",
    "QOS": "the quality of service",
    "REASON": "why it waits or how it failed; of a node why it is down or drained",
    "REQCPUPERTASK": "CPUs asked for, per task",
    "REQCPUS": "CPUs asked for, over all nodes",
    "REQMEMPERNODE": "memory asked for on each node",
    "REQNODES": "nodes asked for by name",
    "RUN": "which run of it this is, from 1; 0 if it never ran",
    "RUNNING": "elements that run",
    "STARTTIME": "when it started; with -S of cqueue also when it is expected to",
    "STATE": "the state",
    "STATUS": "the state",
    "STEPID": "the step: 12.2, 36_1.0",
    "SUBMITTIME": "when it was submitted",
    "TIME": "how long it has run, without suspensions",
    "TIMELIMIT": "how long it may run",
    "TIMEOUT": "elements that reached their time limit",
    "TOTAL": "all elements",
    "TYPE": "Batch, Interactive or Container",
    "UID": "its user's number",
    "USER": "its user",
    "USERNAME": "its user",
    "WCKEY": "the workload characterisation key",
}


def rows(columns: Mapping[str, Column]) -> Iterator[tuple[str, str, str]]:
    """(letters, names, meaning) of each column, those with letters first, as they are written in a format."""
    names: dict[str, list[str]] = {}
    for name, column in columns.items():
        names.setdefault(column.header, []).append(name)
    made = []
    for header, known in names.items():
        letters = sorted((name for name in known if len(name) == 1), key=lambda name: (name.lower(), name))
        # long names may be written in any case
        words = sorted({name.lower() for name in known if len(name) > 1})
        made.append((*(" ".join(f"%{name}" for name in some) for some in (letters, words)), header))
    for letters_, words_, header in sorted(made, key=lambda row: (not row[0], row[0].lower(), row[0], row[1])):
        yield letters_, words_, f"{header}: {MEANINGS[header]}"


def text(formats: Mapping[str, Formats]) -> list[str]:
    """All columns as lines."""
    lines: list[str] = []
    for option, each in formats.items():
        lines += ["", f"with {option}:"] if option else []
        lines.append(f"default: {each.default}")
        table = [("LETTER", "NAME", "MEANING"), *rows(each.columns)]
        wide = [max(len(row[at]) for row in table) for at in (0, 1)]
        lines += [f"{row[0]:{wide[0]}}  {row[1]:{wide[1]}}  {row[2]}" for row in table]
    return [*lines, "", "%5j is 5 wide, %.5j right aligned; other text stands as it is; names are read in any case"]


def page(formats: Mapping[str, Formats]) -> str:
    """The same in Markdown."""
    parts = []
    for option, each in formats.items():
        parts.append(f"Columns of `-o`{f' with `{option}`' if option else ''}; the default is `{each.default}`:")
        table = (
            f"| {letter and f'`{letter}`'} | {name and f'`{name}`'} | {what} |"
            for letter, name, what in rows(each.columns)
        )
        parts.append("| letter | name | meaning |\n|---|---|---|\n" + "\n".join(table))
    return "\n\n".join(parts)
