"""Define what a clumsy user does with the commands: values beyond all measure, and commands that are killed on the
way."""

import contextlib
import os
import signal
import subprocess
import sys

from tests.faults.attacks.user import User

_JOB = ("-o", "/dev/null", "--wrap", "sleep 1")
#: seconds after which a command is killed, as somebody does who has lost patience
_PATIENCE_S = 5.0
_TYPED: tuple[tuple[str, ...], ...] = (
    ("cbatch", "--time", "30-0", *_JOB),
    ("cbatch", "--deadline", "9999-12-31T23:59:59", *_JOB),
    ("cbatch", "--deadline", "now+25days", "--time", "25-0", *_JOB),
    ("cbatch", "--begin", "9999-12-31", *_JOB),
    ("cbatch", "--signal", "USR1@99999999", "--time", "1", *_JOB),
    ("cbatch", "--time", "99999999999-0", *_JOB),
    ("cbatch", "--mem", "99999999T", *_JOB),
    ("cbatch", "-c", "nan", *_JOB),
    ("cbatch", "--array", "0-999999999%1", "--hold", *_JOB),
    ("cbatch", "--array", "0-40:2", "-o", "/dev/null", "--wrap", "exit $CRANE_ARRAY_TASK_ID"),
    ("cbatch", "-w", "n[1-999999]", *_JOB),
    ("cbatch", "--chdir", "/tmp/caf\udce9", "-o", "/dev/null", "--wrap", "false"),
    ("cbatch", "-o", "%99999999j", "--wrap", "true"),
    ("cbatch", "-d", "afterok:999999999999", *_JOB),
    ("cbatch", "-J", "\x1b[2J\u202e", *_JOB),
    ("cqueue", "--watch"),
    ("cqueue", "-i", "9999999999"),
    ("cqueue", "-r", "-m", "999999999"),
    ("cacct", "-S", "0001-01-01", "-m", "2147483647"),
    ("cwait", "1", "--timeout", "99999999-0"),
    ("ccontrol", "update", "jobid=1,2,3,4,5", "timelimit=30-0"),
    ("ccontrol", "hold", "1-9999999"),
    ("ccancel", "1_[0-999999999]"),
    ("ccancel", "--state", "pending", "-u", "root"),
    ("crun", "true"),
)


def typed(me: User) -> None:
    """A few commands one after the other, some of them killed."""
    for _ in range(4):
        _run(me, me.rng.choice(_TYPED))


def killed(me: User) -> None:
    """Commands that are stopped or killed wherever they are."""
    for number in (signal.SIGKILL, signal.SIGSTOP):
        argv = me.rng.choice(_TYPED)
        with _started(me, argv) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(me.rng.uniform(0.05, 0.6))
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            process.kill()


def killed_steps(me: User) -> None:
    """A job whose steps are killed, stopped, and write what nobody reads."""
    crun = f"{sys.executable} -m cli.crun -Q"
    script = f"""export PYTHONPATH={os.environ["PYTHONPATH"]}
    {crun} sleep 60 & a=$!; {crun} sh -c 'yes' | sleep 5 & b=$!
    {crun} -n 3 sleep 60 & c=$!; sleep 2; kill -KILL $a; kill -STOP $c; kill -TERM $b; sleep 2"""
    job = me.job(script, time="0:20", cpus_per_task="4")
    me.submit({**job, "env": {"PATH": os.environ["PATH"]}})


def _started(me: User, argv: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", f"cli.{argv[0]}", *argv[1:]],
        cwd=me.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _run(me: User, argv: tuple[str, ...]) -> None:
    with _started(me, argv) as process:
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()


ATTACKS = (typed, killed, killed_steps)
