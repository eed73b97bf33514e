"""Options that are not ours: what means the same here, and what must not be taken for a slip of the pen. Pure.

A hint that offers another meaning does harm: ``--mem-per-gpu`` is one letter from ``--mem-per-cpu``. So a name that any
of the systems around knows is answered with its like or with none; any other name with what it is a misspelling of.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

#: names elsewhere, or said so naturally -> what means the same here
SAME = {
    "--account-name": ("--account",),
    "--accounts": ("--account",),
    "--cwd": ("--chdir",),
    "--depend": ("--dependency",),
    "--end": ("--end-time",),
    "--endtime": ("--end-time",),
    "--excludes": ("--exclude",),
    "--features": ("--constraint",),
    "--jobid": ("--job",),
    "--jobids": ("--job",),
    "--jobname": ("--job-name", "--name"),
    "--jobs": ("--job",),
    "--license": ("--licenses",),
    "--me": ("--self",),
    "--memory": ("--mem",),
    "--name": ("--job-name",),
    "--names": ("--name",),
    "--no-header": ("--noheader",),
    "--nodename": ("--nodelist", "--nodes"),
    "--only-me": ("--self",),
    "--partitions": ("--partition",),
    "--queue": ("--partition",),
    "--rerun": ("--requeue",),
    "--start": ("--start-time",),
    "--starttime": ("--start-time",),
    "--states": ("--state",),
    "--status": ("--state", "--states"),
    "--stderr": ("--error",),
    "--stdin": ("--input",),
    "--stdout": ("--output",),
    "--tasks": ("--ntasks",),
    "--tasks-per-node": ("--ntasks-per-node",),
    "--time-limit": ("--time",),
    "--timelimit": ("--time",),
    "--users": ("--user",),
    "--walltime": ("--time",),
    "--workdir": ("--chdir",),
    "--working-directory": ("--chdir",),
}
#: options of Slurm's commands, and some of others', that mean nothing that there is here
_OTHERS = """
accel-bind account acctg-freq allusers array array-unique associations bb bbf batch batch-script bcast begin brief
cluster cluster-constraint clusters completion compress comment constraint container container-id contiguous
core-spec cores cores-per-socket cpu-bind cpu-freq cpus cpus-per-gpu cpus-per-task ctld dead deadline debugger-test
delay-boot delimiter dependency disable-stdout-job-summary distribution duplicates env-vars epilog exact exclude
exclusive export export-file external-launcher extra extra-node-info federation flags format full future get-user-env
gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket gpus-per-task gres gres-flags group hide hint hold
hostfile ignore-pbs immediate include input interactive iterate kill-command kill-on-bad-exit kill-on-invalid-dep
label licenses list-reasons local long mail-type mail-user max-lines mcs-label mem mem-bind mem-per-cpu mem-per-gpu
mem-per-node mem-per-task mincpus minnodes mpi msg-timeout multi-prog name nbytes ncpus network nice no-alloc
no-allocate no-bell no-hup no-kill no-requeue no-shell nodefile nodelist nodes noconvert node ntasks ntasks-per-core
ntasks-per-gpu ntasks-per-node ntasks-per-socket only-job-state open-mode output overcommit overlap oversubscribe
parsable parsable2 partition power prefer preserve-env priority profile prolog propagate pty qos quiet reboot relative
requeue reservation resv-ports responding responsive script segment send-libs share sibling signal slurmd-debug
sockets sockets-per-node spread-job start state step steps steps-per-job stepmgr summarize switches task-epilog
task-prolog test-only thread-spec threads threads-per-core time time-min timeout tmp tree-width tres-bind
tres-per-task truncate uid uid unbuffered units use-min-nodes user verbose wait wait-all-nodes wait-for-children
wckey whole wrap x11
"""
#: letters that a name needs before two slips in it are taken for slips
_LONG = 8


def hint(name: str, offered: Iterable[str]) -> str:
    """``"; did you mean '--time'?"``, or ``""`` where nothing among ``offered`` surely means the same."""
    known = [each for each in offered if each.startswith("--")]
    alike = [each for each in (name.lower(), *SAME.get(name.lower(), ())) if each in known]
    if not alike and name.startswith("--") and name[2:].lower() not in _OTHERS.split():
        alike = _misspelt(name[2:].lower(), [each[2:] for each in known])
    return f"; did you mean {alike[0]!r}?" if alike else ""


def _misspelt(name: str, known: list[str]) -> list[str]:
    """The one option that is a slip or two away; none where two are as near."""
    slips = 2 if len(name) >= _LONG else 1
    near = sorted((distance(name[:60], each), each) for each in known)
    if not near or near[0][0] > slips or (len(near) > 1 and near[1][0] == near[0][0]):
        return []
    return [f"--{near[0][1]}"]


def distance(one: str, other: str) -> int:
    """Return how many letters are wrong, missing, too many, or two of them exchanged (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, 1):
        last, before, row = before, row, [at]
        for to, letter in enumerate(other, 1):
            found = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (char != letter))
            if at > 1 and to > 1 and char == other[to - 2] and one[at - 2] == letter:
                found = min(found, last[to - 2] + 1)
            row.append(found)
    return row[-1]
