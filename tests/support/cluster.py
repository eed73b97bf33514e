"""A real embedded cluster in a temporary folder, used as people use it: by its commands.

``cluster()`` yields one that accepts jobs, takes it down at the end and asserts that nothing of it is left: no process,
no cgroup, no socket. Waits are for events (a job's end, a process's end), each with a deadline.
"""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crane_celery import faults, quarantine
from crane_celery.gateway import client
from crane_celery.settings import Settings, load
from crane_celery.supervisor import census, lock, stop
from crane_celery.supervisor.processes import Record, send, wait_gone

ROOT = Path(__file__).resolve().parents[2]
#: seconds that no wait of a test may exceed
PATIENCE_S = 60.0


class Cluster:
    """One cluster: its home, a working directory, and what a test does to it."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet."""
        self.folder = folder
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir()
        #: what stands before each command, such as tests.support.people.as_user()
        self.prefix: list[str] = []
        commands(folder / "bin")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRANE_", "SLURM_"))}
        path = f"{folder / 'bin'}:{kept['PATH']}"
        self.env = {**kept, "CRANE_HOME": str(self.home), "PYTHONPATH": str(ROOT), "HOME": str(self.work), "PATH": path}

    @property
    def settings(self) -> Settings:
        """The cluster's settings."""
        return load(str(self.home / "config.yaml"), {"CRANE_HOME": str(self.home)})

    def run(
        self, command: str, *args: str, stdin: str = "", code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a user's command in the working directory; its exit code must be ``code`` (None: any)."""
        argv = [*self.prefix, sys.executable, "-m", f"cli.{command}", *args]
        done = subprocess.run(
            argv,
            env={**self.env, **(env or {})},
            cwd=self.work,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{command} {args}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def person(self, uid: int, prefix: list[str]) -> "Cluster":
        """The same cluster as another user sees it, with a working directory of its own."""
        seen = copy.copy(self)
        seen.prefix, seen.work = prefix, self.folder / f"work.{uid}"
        seen.work.mkdir()
        os.chown(seen.work, uid, uid)
        seen.env = {**self.env, "HOME": str(seen.work)}
        return seen

    def up(self, *args: str) -> None:
        """``crane up`` with these options."""
        self.run("crane", "up", *args)

    def submit(self, *args: str, stdin: str = "") -> int:
        """``cbatch --parsable``: the job's id."""
        return int(self.run("cbatch", "--parsable", *args, stdin=stdin).stdout.strip().partition(";")[0])

    def wait(self, *ids: int) -> dict[int, int]:
        """Wait until these jobs have ended; their stored exit codes. The gateway tells, nothing is polled."""
        # a gateway that was killed again and again is started after a pause, longer than a command would try
        socket = str(Path(self.settings.run_dir) / "gateway.sock")
        answer = client.call("wait", {"ids": list(ids)}, socket, patience_s=PATIENCE_S)
        return {int(job): int(code) for job, code in answer["codes"].items()}

    def json(self, command: str, *args: str) -> Any:
        """Return what a command prints with ``--json``."""
        return json.loads(self.run(command, *args, "--json").stdout)

    def pids(self) -> dict[str, Record]:
        """Every process by role: ``supervisor``, ``server``, ``scheduler``, ``node.n1``, ..., ``shepherd.<pid>``."""
        found: dict[str, Record] = {}
        for record, role in sorted(census.take(self.settings).items()):  # a fork of the server has a higher pid
            known = role.partition(".")[0] not in ("shepherd", "?")
            found.setdefault(role if known else f"shepherd.{record.pid}", record)
        return found

    def kill(self, role: str, number: signal.Signals = signal.SIGKILL) -> Record:
        """Kill a role's process and wait until it has gone."""
        record = self.pids()[role]
        send(record, number)
        assert not wait_gone([record], PATIENCE_S)
        return record

    def kill_all(self, prefix: str) -> None:
        """Kill all processes whose role begins so; one may take another along (a shepherd its fork server)."""
        records = [record for role, record in self.pids().items() if role.startswith(prefix)]
        for record in records:
            send(record, signal.SIGKILL)
        assert not wait_gone(records, PATIENCE_S)

    def down(self) -> None:
        """``crane down``; then nothing may be left."""
        settings = self.settings if (self.home / "config.yaml").exists() else None
        self.run("crane", "down")
        if settings:
            assert not stop.strays(settings), "processes are left"
            assert not lock.marked(settings.home), "the supervisor is left"
            assert not Path(settings.run_dir).exists(), "sockets are left"
            assert not groups(settings), "cgroups are left"


def commands(folder: Path) -> None:
    """The commands of the checkout, for scripts of jobs to call by name."""
    folder.mkdir()
    for module in (ROOT / "cli").glob("c*.py"):
        program = folder / module.stem
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli.{module.stem} "$@"\n')
        program.chmod(0o755)


def groups(settings: Settings) -> list[str]:
    """Directories of this cluster's nodes in any cgroup hierarchy."""
    wanted = {f"{settings.group_root}.{node}" for node in settings.nodes}
    return [path for path, names, _ in os.walk("/sys/fs/cgroup") for name in names if name in wanted]


@contextmanager
def cluster(
    *up: str, nodes: int = 2, name: str = "", uid: int | None = None, prefix: Sequence[str] = ()
) -> Iterator[Cluster]:
    """A cluster that is up; ``up`` are further options of ``crane up``. Taken down, and looked at, at the end.

    With ``uid`` everything belongs to that user, whom ``prefix`` makes of a command's caller.
    """
    folder = Path(tempfile.mkdtemp(prefix="crane-test-", dir="/tmp"))
    folder.chmod(0o755)
    made = Cluster(folder)
    made.prefix = list(prefix)
    for path in (folder, made.work) if uid is not None else ():
        os.chown(path, uid, uid)
    try:
        made.up("--nodes", str(nodes), "--cpus", "4", "--mem", "4G", "--name", name or f"t{folder.name[-8:]}", *up)
        yield made
        made.down()
        met = faults.recorded(str(made.home / "log"))
        assert not met, f"a daemon met what nobody foresaw: {met}"
        assert quarantine.listed(quarantine.folder_of(str(made.home))) == []
    finally:
        made.run("crane", "down", code=None)
        shutil.rmtree(folder, ignore_errors=True)
