"""Two users who attack a cluster, a third who works on it meanwhile, root who looks after it, and what is left."""

import os
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

from crane_celery.supervisor import census
from crane_celery.supervisor.processes import Record, everybody
from tests.faults.campaign import called
from tests.support.cluster import PATIENCE_S, ROOT, Cluster
from tests.support.people import as_user

HOSTILE, CLUMSY, VICTIM = 65501, 65502, 65503
#: what each of the two does
KINDS = {HOSTILE: "shepherd,gateway,job", CLUMSY: "command,gateway,job"}
#: seconds in which a victim's job begins, and in which it has ended after its limit, by the server's clock
START_S, LATE_S = 20.0, 20.0
#: what a daemon may have more of afterwards: MiB of memory, which Python does not give back at once; descriptors
GROWTH_MIB, GROWTH_FDS = 200, 24
_LIMIT_S = 2
#: seconds for an attack's own end
_ATTACK_S = 20.0


#: commands of root's
_LOOKS = (("cqueue", "-F", "-m", "200"), ("cinfo",), ("ccontrol", "show", "node", "n1"), ("cacct", "-m", "200"))


class Health(NamedTuple):
    """Record of what one daemon uses."""

    mib: int
    fds: int


def daemons(cluster: Cluster) -> dict[str, Record]:
    """Everything that must outlive the attacks: not spawners, which are their users' own, nor the zygotes."""
    found: dict[str, Record] = {}
    for record, role in sorted(census.take(cluster.settings).items()):
        if not role.startswith("shepherd.") or called(record) == "crane-shepherd":
            found.setdefault(role, record)
    return found


def health(record: Record) -> Health:
    """Memory that is the process's own, and open descriptors but for groups, which are kept to be used again."""
    with open(f"/proc/{record.pid}/statm", encoding="ascii") as file:
        _, resident, shared, *_ = map(int, file.read().split())
    pages = os.sysconf("SC_PAGE_SIZE")
    return Health((resident - shared) * pages >> 20, sum(1 for name in _open(record.pid) if "/cgroup/" not in name))


def _open(pid: int) -> Iterator[str]:
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            yield os.readlink(f"/proc/{pid}/fd/{name}")


@contextmanager
def attacked(cluster: Cluster, seed: str) -> Iterator[dict[int, Path]]:
    """Both users attack while this lasts; the files in which each says what it has done."""
    run = os.path.realpath(cluster.settings.run_dir)
    nodes = [f"{run}/node.{name}" for name in cluster.settings.nodes]
    gateways = [f"{each}/gateway.sock" for each in (run, *nodes)]
    said: dict[int, Path] = {}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for uid, kinds in KINDS.items():
            person = cluster.person(uid, as_user(uid))
            said[uid] = cluster.folder / f"said.{uid}"
            module = [sys.executable, "-m", "tests.faults.attacks", f"{seed}-{uid}", kinds, str(person.work)]
            argv = [*person.prefix, *module, ",".join(gateways), ",".join(f"{each}/shepherd.sock" for each in nodes)]
            with said[uid].open("wb") as out:
                started.append(_start(argv, person.env, out))
        yield said
    finally:
        for process in started:
            assert process.stdin
            process.stdin.close()
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ATTACK_S)  # an attack that is under way may come to its end
            process.kill()
            process.wait()


def _start(argv: Sequence[str], env: dict[str, str], out: IO[bytes]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(argv, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out)


class Work:
    """Record of what the victim and root do meanwhile, and whether it went as it must."""

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is submitted yet."""
        self._root, self._victim = cluster, cluster.person(VICTIM, as_user(VICTIM))
        self._expected: dict[int, int | None] = {}  # exit code; None: ended by its limit

    def round(self, code: int) -> None:
        """A job with a step that ends with this code, one that runs over its limit, and root's commands."""
        script = f"crun -Q sh -c 'exit {code}'; exit $?"
        quick = self._victim.submit("-t", "1", "-o", "/dev/null", "--wrap", script)
        long = self._victim.submit("-t", f"0:{_LIMIT_S:02}", "-o", "/dev/null", "--wrap", "sleep 600")
        self._expected |= {quick: code, long: None}
        for words in _LOOKS:
            shown = self._root.run(*words).stdout
            assert not _obeyed(shown), f"{words} shows what a terminal obeys: {_obeyed(shown)!r}"
        self._victim.run("cqueue", "--self")
        self._root.wait(quick, long)

    def verify(self) -> str:
        """Assert that each job began in time and ended as it must; the longest wait for a start, for people."""
        ids = ",".join(map(str, self._expected))
        rows = self._root.json("cacct", "-j", ids, "-m", str(2 * len(self._expected)))["job_info_list"]
        waits = []
        for row in rows:
            job, began = int(row["job_id"]), _at(row["start_time"])
            expected = self._expected[job]
            waits.append(began - _at(row["submit_time"]))
            ran = _at(row["end_time"]) - began
            assert waits[-1] < START_S, f"job {job} began after {waits[-1]:.1f} s"
            if expected is None:
                assert row["status"] == "ExceedTimeLimit", row
                assert _LIMIT_S - 0.5 <= ran < _LIMIT_S + LATE_S, f"job {job} ran {ran:.1f} s"
            else:
                assert row["exit_code"] == expected, row
        assert len(rows) == len(self._expected), f"{len(rows)} of {len(self._expected)} jobs have ended"
        return f"{len(rows)} jobs of the victim, each begun within {max(waits):.2f} s"


def _obeyed(text: str) -> list[str]:
    """Characters that move a cursor, or turn the order of what is read."""
    return [letter for letter in text if letter not in "\n\t" and unicodedata.category(letter) in ("Cc", "Cf")]


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def quiet(cluster: Cluster) -> None:
    """End what the two users have left in the queue, and wait until none of their processes lives."""
    for uid in KINDS:
        cluster.run("ccancel", "-u", str(uid), code=None)
    until = time.monotonic() + PATIENCE_S
    while left := [pid for pid in everybody() if _owner(pid) in KINDS and called_of(pid) != "crane-spawner"]:
        assert time.monotonic() < until, [(pid, called_of(pid), cmdline(pid)) for pid in left]
        cluster.run("ccancel", "-u", ",".join(map(str, KINDS)), code=None)


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def called_of(pid: int) -> str:
    """The name that ps shows for it."""
    return called(Record(pid, 0))


def cmdline(pid: int) -> bytes:
    """Its arguments."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()[:200]
    except OSError:
        return b""


def settled(records: dict[str, Record], before: dict[str, Health]) -> dict[str, Health]:
    """Wait until no daemon has many more descriptors than before: what was held is let go within a minute."""
    until = time.monotonic() + 2 * PATIENCE_S
    while True:
        now = {role: health(record) for role, record in records.items()}
        more = {role: each for role, each in now.items() if each.fds > before[role].fds + GROWTH_FDS}
        if not more:
            return now
        assert time.monotonic() < until, {role: (before[role], each) for role, each in more.items()}
        time.sleep(0.5)
