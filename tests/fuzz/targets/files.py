"""Define what daemons read again: launch messages, journals of shepherds and spawners, their frames, the
configuration."""

import json
import os
import socket
from collections.abc import Sequence
from typing import Any, cast

from crane_celery import settings
from crane_celery.model.job import JobSpec
from crane_celery.settings.model import Hooks
from crane_celery.wire import launch as wire
from crane_celery.wire.link import TRUSTED, Hangup, encode
from tests.fuzz.node import BOOT, FOLDER, Node, connected
from tests.fuzz.source import Source
from tests.fuzz.strange import TEXTS, mutated, value
from tests.fuzz.target import Target
from workers.agent import launch as launches
from workers.agent import reporter
from workers.agent.environment import Place
from workers.agent.scripts import Bodies, Body
from workers.common import exit_journal
from workers.common.exit_journal import Known
from workers.shepherd import decode
from workers.shepherd.decode_own import spawner_events, spawner_pid
from workers.shepherd.journal import Ledger

_UID, _GID = os.geteuid(), os.getegid()

# -- launch messages

_PLACE = Place(
    "n1", "main", "/run/g", "/run/s", "/opt/bin", True, Hooks(prolog="/p", task_epilog="/t"), {"gpu": 2},
    {"gpu": ["/dev/null", "/dev/zero"]},
)  # fmt: skip
_SPEC = JobSpec(
    name="a", uid=_UID, gid=_GID, user="u", memory=1 << 30, time_limit=60, array="0-3", stdout="%A_%a.out",
    signal="10@5", dialect="slurm,lsf", gres={"gpu": 1}, deadline=2e9, dependency="afterok:1", asked={"ntasks": "1"},
    nodes=2,
)  # fmt: skip
_LAUNCHES = [
    wire.Launch(7, rank, 7 + rank, 1, rank, 4, 1.0, 1 << 30, {"gpu": (rank,)}, ("n1", "n2"), place=rank - 1)
    for rank in range(2)
]
_TEXT = wire.build(
    wire.Address("n1", 1, 1, "x", 2e9), {"7": wire.spec_text(_SPEC)}, _LAUNCHES, [wire.Kill(5, 1, 15)],
    [(6, 1, {"limit": 60.0})],
)  # fmt: skip
_WORDS = ("%j", "%5A", "%%", "0-3", "10@5", "B:", ",", ":", "7", "slurm", "n1", "NaN", "1e999")


class _Bodies:
    """Scripts of all jobs: the same."""

    def get(self, _job: int, _spec: JobSpec) -> Body:
        return Body(["/bin/sh", "x"], {"A": "b", "PATH": "/bin"}, 0o22, False)


def _message(source: Source) -> str:
    """The text of a message, with changes to its values, or to its letters."""
    if source.once_in(8):
        return cast(str, mutated(source, _TEXT, ('"', "{", "[", ",", "1e999")))
    return json.dumps(mutated(source, json.loads(_TEXT), _WORDS))


def _delivered(body: Any) -> None:
    """As a node does: each launch is started, or ends by itself; the shepherd takes the frame."""
    message = wire.read(body if isinstance(body, str) else "")
    batch = launches.build(message, cast(Bodies, _Bodies()), _PLACE, 30.0, 1000.0)
    {(launch.id, launch.run): launch.job for launch in message.launches}
    frame = json.loads(json.dumps(batch.frame))
    reporter.to_report([[0, "e", i, r, None, at, 0.0, 1.0, 0.0, 0, 0, why] for i, r, at, why in batch.hopeless], 0.0)
    node = Node()
    try:
        node.launching.launch(frame["jobs"], frame["rows"])
        node.turn()
    finally:
        node.close()


# -- the shepherd's journal

_RUN = [
    7, 1, _UID, _GID, [_GID], 2.0, 1 << 30, 0.5, 60.0, "p7", 0.0, [[10, 5, ""]], 0.0, 0.0,
    {"prolog": "/p", "prolog_s": 5.0, "epilog": "", "epilog_s": 5.0, "task_prolog": "", "task_epilog": "", "env": {}},
    [0], 0, "/tmp/o",
]  # fmt: skip
_LINES: list[list[Any]] = [
    ["l", _RUN], ["l", [8, *_RUN[1:9], "p8", *_RUN[10:14], {}]], ["c", 7, 1, 2, 2, 1.0, 1024, "s", "/bin/x", 5.0, 0.0],
    ["d", 7, 1, 2], ["k", 7, 1, 1, "cancel", 5.0], ["o", 7, 1, 50.0, 0.0, 5.0, 1.0], ["w", 7, 1, [0]],
    ["m", 7, 1, 1, [True, 5.0], False], ["h", 7, 1, "prolog", 4000000, 5], ["h", 7, 1, "epilog", 0, 0, 0, "", 1.0, 2.0,
    0.5, 4096, 0, ""], ["t", 9, 1], ["r", 3, ["e", 7, 1, 0, "", 1.0, 2.0, 0.5, 4096, 0, "", 0]], ["r", 4, ["b", 7, 1,
    5.0]], ["r", 5, ["s", 7, 1, 2, "s", 2, 1.0, 1024, "x", 0, "", 1.0, 2.0, 0.5, 4096, True, 0, "", 0]], ["a", 3],
    ["n", 8, 1], ["z", 7, 1], ["q", 9],
]  # fmt: skip


def _journal(source: Source) -> list[str]:
    """Lines of a journal, as Latin-1: whole ones first, then some that are changed or torn."""
    made = [json.dumps(_LINES[0]), json.dumps(_LINES[1])]
    for _ in range(1 + source.below(8)):
        line = json.dumps(mutated(source, source.pick(_LINES), _WORDS, 3))
        at = source.below(len(line) + 1)
        made.append((line, line, line, line[:at], line[at:], line[:at] + source.pick(TEXTS))[source.below(6)])
    return [line.encode("utf-8", "surrogatepass").decode("latin-1") for line in made]


def _replayed(lines: Sequence[str]) -> None:
    """A shepherd begins with it, puts right what it tells of, and writes one that says the same."""
    node = Node("".join(line + "\n" for line in lines).encode("latin-1"))
    try:
        node.nursery.journals = [((_UID, _GID), {"7.1.1.0": Known(1 << 23, 5, 1.0)}, False)]
        node.recover()
        for row in node.ledger.reports.values():
            json.dumps(row, allow_nan=False)
    finally:
        node.close()
    again = Ledger(node.ledger._path, BOOT)
    os.close(again._fd)


# -- a spawner's journal

_EXITS = (
    "s 7.1.1.0 4000000 5 1.500000", "x 7.1.1.0 0 2.500000", "x 7.1.1.0 -9 2.5", "f 7.1.1.0 cwd 2 2.0 no such directory",
    "s 7.1.1.-1 4000001 5 1.0", "x 9.1.1.0 0 1.0", "s 8.1.1.0 1 1 1.0",
)  # fmt: skip


def _ends(source: Source) -> list[str]:
    """Lines of it, as Latin-1."""
    words = (" ", "s", "x", "f", "7.1.1.0", "nan", "1e999", "-9", "9" * 30, "cwd")
    lines = [mutated(source, source.pick(_EXITS), words, 3) for _ in range(1 + source.below(6))]
    return [str(line).encode("utf-8", "surrogatepass").decode("latin-1") for line in lines]


def _recalled(lines: Sequence[str]) -> None:
    """A shepherd that comes after learns from it how runs ended."""
    path = f"{FOLDER}/exits.{_UID}.{_GID}"
    with open(path, "wb") as file:
        file.write("".join(line + "\n" for line in lines).encode("latin-1"))
    node = Node("".join(json.dumps(line) + "\n" for line in _LINES[:2]).encode())
    try:
        node.nursery.journals = [((_UID, _GID), exit_journal.read(path), False)]
        node.recover()
        for row in node.ledger.reports.values():
            json.dumps(row, allow_nan=False)
    finally:
        node.close()


# -- frames between daemons

_FRAMES = (
    {"op": "table", "pid": 5, "rows": [["s", "7.1.1.0", 4000000, 5, 1.5], ["x", "7.1.1.1", 0, 1.5, 2.5, 0.1, 4096]]},
    {"op": "events", "rows": [["f", "7.1.1.0", "cwd", 2, "no such file", 2.0]]},
)


def _chunks(source: Source) -> list[str]:
    """Frames of a spawner, as Latin-1: whole, cut, with other lengths."""
    made = []
    for _ in range(1 + source.below(5)):
        whole = encode(mutated(source, source.pick(_FRAMES)) if not source.once_in(6) else value(source))
        at = source.below(len(whole) + 1)
        length = source.pick((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x04\0\0\0", b"\0\0\0\x02"))
        made.append((whole, whole, whole[:at], whole[at:], length + whole[4:])[source.below(5)])
    return [each.decode("latin-1") for each in made]


def _taken(chunks: Sequence[str]) -> None:
    """As the shepherd takes them: rows that pass reach the herd, anything else ends the connection."""
    node = Node()
    try:
        with connected(TRUSTED) as (link, sock):
            for chunk in chunks:
                sock.sendall(chunk.encode("latin-1"))
                for message in link.receive():
                    if message.get("op") == "table":
                        spawner_pid(message)
                    node.herd.events(None, spawner_events(message))
            sock.shutdown(socket.SHUT_WR)
            for _ in range(1000):
                link.receive()
    finally:
        node.close()


# -- configuration

_CONFIG: dict[str, Any] = {
    "ClusterName": "c", "AllowRoot": True, "Operators": ["root"], "Private": ["commands"],
    "Nodes": [{"name": "n[1-4]", "cpu": 4, "memory": "8G", "gres": "gpu:a:2", "features": ["ssd"],
               "devices": {"gpu": ["/dev/null", "/dev/zero"]}}],
    "Partitions": [{"name": "main", "nodes": "ALL", "priority": 5, "DefaultTime": "1:00:00", "MaxTime": "infinite",
                    "DefaultMemPerCpu": "1G", "MaxJobs": 5}],
    "DefaultPartition": "main", "MaxArraySize": 1000, "NodeTimeout": "30s", "KillGrace": 5, "Signing": False,
    "Cgroup": "none", "Window": "1h", "MinFreeSpace": "256M", "Licenses": "m:2", "ServerUrl": "redis://h:6379/0",
    "Priority": {"Type": "basic", "WeightAge": 5, "MaxAge": "7d"}, "Draining": {"Jobs": 4, "Share": 25},
    "JobLifecycleHook": {"Prolog": "/p", "PrologTimeout": "5m"}, "Schedulers": 1, "HistoryUrl": "sqlite:////tmp/x",
}  # fmt: skip
_YAML = (
    "ClusterName: c\nNodes:\n  - {name: 'n[1-4]', cpu: 4, memory: 8G}\nPartitions:\n  - name: main\n    nodes: ALL\n"
)
_MARKS = (
    "&a ",
    "*a",
    "<<: ",
    "!!binary x",
    "!!python/object:os.system ",
    "|\n",
    ">\n",
    "? ",
    "- ",
    ": ",
    "{",
    "[",
    "---\n",
    "...",
    "\t",
    "# ",
)


def _configured(source: Source) -> str:
    """The text of a configuration, which YAML may write as JSON does."""
    if source.once_in(3):
        return str(mutated(source, _YAML, (*_MARKS, *list(_CONFIG)), 5))
    whole = {name: _CONFIG[name] for name in _CONFIG if not source.once_in(4)}
    return json.dumps(mutated(source, whole, ("1G", "5m", "n[1-3]", "gpu:2", "ALL", "infinite", "-1")))


def _loaded(body: str) -> None:
    made = settings.parse(str(body), "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
    assert made.default_partition in made.partitions
    assert all(sum(spec.gres.values()) <= 1 << 20 and spec.cpus <= 1e7 for spec in made.nodes.values()), made.nodes


TARGETS = (
    Target("launch-message", _message, _delivered, faults=True),
    Target("journal", _journal, _replayed, (), faults=True),
    Target("exits", _ends, _recalled, (), faults=True),
    Target("own-frames", _chunks, _taken, (Hangup, decode.Malformed)),
    Target("settings", _configured, _loaded),
)
