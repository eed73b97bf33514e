"""Jobs a second through the shepherd and a spawner alone: ``python -m bench.node_spawn [count] [uid]``.

No server, no Celery: launches of /bin/true in batches of 16, at most 48 under way, every end acknowledged. Printed for
no cgroups and for what the host offers, beside the floor: posix_spawn and wait in one process of the same Python.
"""

import os
import pathlib
import selectors
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from crane_celery.wire.link import Hangup, Link
from workers.agent import shepherd_start

_BATCH, _UNDER_WAY = 16, 48


def floor(count: int) -> float:
    """Spawns and reaps a second."""
    start = time.perf_counter()
    for _ in range(count):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ, setsid=True), 0)
    return count / (time.perf_counter() - start)


def _frames(link: Link) -> Iterator[dict[str, Any]]:
    with selectors.DefaultSelector() as one:
        one.register(link, selectors.EVENT_READ)
        while one.select():
            yield from link.receive()


def _launch(link: Link, ids: range, uid: int) -> None:
    job = {
        "uid": uid, "gid": uid, "groups": [uid], "argv": ["/bin/true"], "env": dict(os.environ), "cwd": "/tmp",
        "umask": 18, "append": False, "cpus": 1.0, "memory": 256 << 20, "pids": 64, "limit": 60, "grace": 1.0,
    }  # fmt: skip
    rows = [[id_, 1, "j", {"CRANE_JOB_ID": str(id_)}, ["/dev/null", "/dev/null", ""]] for id_ in ids]
    link.send({"op": "launch", "jobs": {"j": job}, "rows": rows})


def _ended(message: dict[str, Any], link: Link) -> int:
    rows = message.get("rows", []) if message["op"] == "reports" else []
    if rows:
        link.send({"op": "ack", "seq": rows[-1][0]})
    return sum(row[1] == "e" for row in rows)


def through_shepherd(count: int, uid: int, cgroup: str) -> tuple[str, float]:
    """The driver in use and jobs a second."""
    with tempfile.TemporaryDirectory(prefix="crane-bench", dir="/tmp") as name:
        base = pathlib.Path(name)
        config = {"node": "b", "cluster": f"bench{os.getpid()}", "run": name + "/run", "spool": name + "/spool"}
        link = shepherd_start.find({**config, "cgroup": cgroup}, str(base / "log"))
        link.send({"op": "agent"})
        frames = _frames(link)
        driver = str(next(frames)["driver"])
        _run(link, frames, range(1, 65), uid)  # makes the spawner and the pool
        start = time.perf_counter()
        _run(link, frames, range(65, 65 + count), uid)
        rate = count / (time.perf_counter() - start)
        link.send({"op": "stop"})
        try:
            for _ in frames:
                pass
        except Hangup:
            link.close()
        shepherd_start.bury()
    return driver, rate


def _run(link: Link, frames: Iterator[dict[str, Any]], ids: range, uid: int) -> None:
    sent = ended = 0
    while ended < len(ids):
        while sent < len(ids) and sent - ended <= _UNDER_WAY - _BATCH:
            _launch(link, ids[sent : sent + _BATCH], uid)
            sent += _BATCH
        ended += _ended(next(frames), link)


def main(count: int = 2000, uid: int | None = None) -> None:
    """Print the rows."""
    owner = os.geteuid() if uid is None else uid
    print(f"floor, posix_spawn and wait: {floor(count):.0f}/s")
    for cgroup in ("none", "auto"):
        driver, rate = through_shepherd(count, owner, cgroup)
        print(f"shepherd, cgroup driver {driver}: {rate:.0f} jobs/s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
