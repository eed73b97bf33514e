"""Define what reaches a node: frames of users, of the agent and of spawners, and what a spawner is asked to start."""

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crane_celery.wire.link import Hangup, encode
from crane_celery.wire.node import Exited, Started
from tests.fuzz.node import Node, connected, spawning
from tests.fuzz.source import Source
from tests.fuzz.strange import TEXTS, mutated, value
from tests.fuzz.target import Target
from workers.shepherd import decode, decode_own
from workers.shepherd.connections import _FOREIGN
from workers.spawner import spawner
from workers.spawner.files import Files

_STEP = {
    "op": "step", "job": 7, "argv": ["/bin/true", "a"], "env": {"A": "b", "SLURM_JOB_ID": "7"}, "cwd": "/tmp",
    "umask": 18,
    "ntasks": 2, "cpus": 1.0, "memory": 1024, "limit": 5.0, "name": "x", "fds": 3, "io": [0, 1, 2, 0, 1, 2],
}  # fmt: skip
_ATTACH = {"op": "attach", "job": 7, "run": 1, "step": 2}
_SIGNAL = {"op": "signal", "sig": 15}
_TEMPLATE = {
    "uid": 0, "gid": 0, "groups": [0], "argv": ["/bin/sh", "-c", "x"], "env": {"A": "b"}, "cwd": "/tmp", "umask": 18,
    "append": False, "cpus": 2.0, "memory": 1 << 20, "pids": 64, "limit": 60.0, "grace": 0.5, "deadline": 0.0,
    "warn": [[10, 5, ""], [15, 60, "B"]], "hooks": {},
}  # fmt: skip
_HOOKS = {
    "prolog": "/p", "prolog_s": 5.0, "epilog": "/e", "epilog_s": 5.0, "task_prolog": "", "task_epilog": "/t",
    "env": {"A": "b"},
    "place": 0,
}  # fmt: skip
_PATHS = ["/dev/null", "/tmp/o", ""]


def _launch(source: Source) -> dict[str, Any]:
    """A launch frame: two jobs, a few runs."""
    jobs: dict[str, Any] = {"a": _TEMPLATE, "b": {**_TEMPLATE, "limit": None, "hooks": _HOOKS}}
    rows = [[7 + number, 1, "ab"[source.below(2)], {"C": "d"}, _PATHS] for number in range(1 + source.below(3))]
    frame = {"jobs": mutated(source, jobs), "rows": mutated(source, rows, most=3)}
    return (
        frame if isinstance(frame["jobs"], dict) and isinstance(frame["rows"], list) else {"jobs": jobs, "rows": rows}
    )


def _running(node: Node) -> None:
    """Job 7 runs, with four CPUs."""
    template = {**_TEMPLATE, "cpus": 4.0, "memory": 1 << 30, "uid": os.geteuid(), "limit": 3600.0}
    node.launching.launch({"a": template}, [[7, 1, "a", {}, _PATHS]])
    node.herd.events(None, [Started("7.1.1.0", 1, 1, 1.0)])


def _door(source: Source) -> list[Any]:
    which = source.below(4)
    return [which, mutated(source, (_STEP, _ATTACH, _SIGNAL, {**_TEMPLATE, "hooks": _HOOKS})[which])]


def _through_the_door(asked: list[Any]) -> None:
    which, message = asked
    if not isinstance(message, dict):
        return
    if which == 0:
        made = decode.step_request(message)
        assert all(os.fsencode(word) is not None for word in made.argv)
        json.dumps(made._asdict(), allow_nan=False)
    elif which == 3:
        decode.check_template(message)
    else:
        (decode.attach_request, decode.signal_number)[which - 1](message)


def _said(source: Source) -> list[Any]:
    """Frames of one or two connections: [which, frame, descriptors]."""
    frames = (_STEP, _STEP, {**_STEP, "cpus": 4.0, "ntasks": 1, "io": [0, 1, 2]}, _ATTACH, _SIGNAL)
    return [
        [source.below(2), mutated(source, source.pick(frames), most=3), source.pick((3, 3, 3, 0, 1, 200))]
        for _ in range(1 + source.below(5))
    ]


def _hear(said: list[Any]) -> None:
    """As the shepherd's loop: what a connection does ends it, nothing more."""
    node = Node()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        _running(node)
        with connected(_FOREIGN) as one, connected(_FOREIGN) as other:
            gone = set()
            for which, message, fds in said:
                link, sock = (one, other)[which]
                if which in gone or not isinstance(message, dict):
                    continue
                body = json.dumps(message).encode()
                socket.send_fds(sock, [len(body).to_bytes(4, "big") + body], [null] * fds)
                try:
                    for each in link.receive():
                        node.clients.hear(link, each)
                except Hangup:
                    node.clients.gone(link)
                    gone.add(which)
                node.turn()
            for link, _ in (one, other):
                node.clients.gone(link)
            node.herd.stop((7, 1), 1, "limit")
            node.herd.events(None, [Exited("7.1.1.0", 0, 1.0, 2.0, 0.1, 5)])
            node.turn()
            assert node.clients.held(os.geteuid()) == 0
    finally:
        os.close(null)
        node.close()


def _bytes(source: Source) -> list[str]:
    """Chunks of bytes, as Latin-1."""
    made = []
    for _ in range(1 + source.below(6)):
        body = encode(
            mutated(source, source.pick((_STEP, _ATTACH, _SIGNAL))) if not source.once_in(4) else value(source)
        )
        at = source.below(len(body) + 1)
        made.append(
            (
                body,
                body[:at],
                body[at:],
                b"\xff" * source.below(9),
                body[:4] + source.pick(TEXTS).encode("utf-8", "replace"),
            )[source.below(5)]
        )
    return [each.decode("latin-1") for each in made]


def _receive(chunks: Sequence[str]) -> None:
    with connected(_FOREIGN) as (link, sock):
        sock.settimeout(1.0)
        for chunk in chunks:
            for at in range(0, len(chunk), 4096):
                sock.sendall(chunk[at : at + 4096].encode("latin-1"))
                assert all(isinstance(each, dict) for each in link.receive())
            assert link.buffered <= (16 << 20) + 4
        sock.close()
        for _ in range(1000):
            link.receive()


def _launched(frame: dict[str, Any]) -> None:
    """Whatever is in it, all runs that it names end or are on their way, and those that are well start."""
    node = Node()
    try:
        node.launching.launch(frame["jobs"], frame["rows"])
        node.turn()
        events = [Started(f"{id_}.{run}.1.0", 1, 1, 1.0) for id_, run in node.ledger.runs]
        node.herd.events(None, events)
        for key in list(node.ledger.runs):
            node.reins.order(key, {"limit": 5.0, "deadline": 0.0, "suspend": 1})
            node.reins.order(key, {"suspend": 0})
            node.herd.stop(key, 1, "cancel")
        node.herd.events(None, [Exited(f"{id_}.{run}.1.0", -15, 1.0, 2.0, 0.5, 1) for id_, run in node.ledger.runs])
        node.turn()
        Node(Path(node.ledger._path).read_bytes().partition(b"\n")[2]).close()
    finally:
        node.close()


_ROWS: list[Any] = [
    ["s", "7.1.1.0", 4000000, 5, 1.5], ["x", "7.1.1.0", 0, 1.5, 2.5, 0.1, 4096], ["f", "7.1.1.0", "cwd", 2,
    "no such file", 2.0],
    ["n", "7.1.1.0"], ["x", "7.1.1.-1", 0, 1.5, 2.5, 0.1, 1], ["x", "7.1.1.0", -9, 1.5, 2.5, 0.1, 4096], ["s",
    "9.1.1.0", 1, 1, 1.0],
]  # fmt: skip


def _reports(source: Source) -> list[Any]:
    """Frames of a spawner."""
    rows = [source.pick(_ROWS) for _ in range(1 + source.below(4))]
    frames = [mutated(source, {"op": "events", "pid": 5, "rows": rows}) for _ in range(1 + source.below(2))]
    return [frame for frame in frames if isinstance(frame, dict)]  # no other frame passes the link


def _heard(frames: list[Any]) -> None:
    node = Node()
    try:
        _running(node)
        for frame in frames:
            try:
                events = decode_own.spawner_events(frame)
            except decode.Malformed:
                break
            node.herd.events(None, events)
            node.turn()
    finally:
        node.close()


def _asked(source: Source) -> list[Any]:
    """Run frames for a spawner: what came from a user in them may be anything."""
    what = {**_TEMPLATE, "hooks": _HOOKS}
    free = {name: what[name] for name in ("argv", "env", "cwd", "umask")}
    frames = []
    for number in range(1 + source.below(3)):
        job = mutated(source, free)
        rest = [mutated(source, {"A": "b"}, most=2), "p0", mutated(source, _PATHS, most=2), 0]
        frames.append(
            [{**what, **job} if isinstance(job, dict) else {**what, "argv": job}, [f"7.{number}.1.0", "a", *rest]]
        )
    return frames


def _start(frames: list[Any]) -> None:
    """Each is started or fails by itself; nothing comes out of the spawner's own loop."""
    with spawning() as made, connected(_FOREIGN) as (link, _):
        for what, row in frames:
            made._obey(link, {"op": "run", "jobs": {"a": what}, "rows": [row]})
        told = [row for row in made._rows if row[0] in ("s", "f")]
        assert made._link is None and len(told) <= len(frames)
        assert {child.key for child in made._children.values()} | set(made._over) == {row[0] for _, row in frames}


def _null(cwd: str, paths: Any, **_append: bool) -> Files:
    """In place of opening what a user names: each name is taken as the kernel would take it."""
    for path in (cwd, *paths[:3]):
        if b"\0" in os.fsencode(path):
            raise ValueError("embedded null byte")
    return Files(os.open("/", os.O_PATH), *(os.open(os.devnull, os.O_RDWR) for _ in range(3)))


def _pid(argv: list[str], env: dict[str, str], _files: Files) -> int:
    """In place of a process: the kernel's look at the arguments."""
    for word in (*argv, *env, *env.values()):
        if b"\0" in os.fsencode(word):
            raise ValueError("embedded null byte")
    _pid.next += 1
    return _pid.next


_pid.next = 1 << 23
spawner._spawn = _pid
spawner.open_files = _null
spawner._child_pipe = lambda: os.eventfd(0)
spawner._ended = lambda: None
os.umask = lambda mask: (mask & 0o777, 0o22)[1] if isinstance(mask, int) else _refuse(mask)


def _refuse(mask: object) -> int:
    raise TypeError(f"{mask!r} is no mask")


TARGETS = (
    Target("door", _door, _through_the_door, (decode.Malformed,)),
    Target("crun", _said, _hear, ()),
    Target("frames", _bytes, _receive, (Hangup,)),
    Target("launch-frame", _launch, _launched, (), faults=True),
    Target("spawner-reports", _reports, _heard, ()),
    Target("spawner", _asked, _start, ()),
)
