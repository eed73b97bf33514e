"""Attacks at a gateway: requests of no kind, floods, crowds, and much that is made of little."""

import contextlib
import json
import socket
from typing import Any

from tests.faults.attacks.user import User, frame
from tests.fuzz.examples import JOB, OPTIONS, REQUESTS, SET
from tests.fuzz.strange import NUMBERS, TEXTS

_OTHERS: tuple[Any, ...] = (None, True, [], {}, [[]], [None], {"a": 1})
_LISTS = ("n[1-999999]", "n[1-99][1-99][1-99]", "n[1-9],n[1-999999999999]", "n[" + ",".join(["1-9"] * 5000) + "]")


def wild_requests(me: User) -> None:
    """Any verb with a value of another kind at some place of it."""
    for _ in range(40):
        verb = me.rng.choice([name for name in REQUESTS if name not in ("watch", "wait")])
        args = dict(REQUESTS[verb])
        value = me.rng.choice((*NUMBERS, *TEXTS, *_OTHERS))
        if verb in ("submit", "testonly"):
            name = me.rng.choice([*OPTIONS, *JOB])
            job = {**me.job("exit 1"), **({name: value} if name in JOB else {"options": {name: value, "time": "1"}})}
            args["jobs"] = [job]
        elif verb == "update":
            args["set"] = {me.rng.choice([*SET]): str(value)}
        elif args:
            args[me.rng.choice([*args])] = value
        me.ask(verb, args)


def flood(me: User) -> None:
    """Megabytes of JSON, wide and deep, from several connections."""
    wide, deep = b"[" + b"0," * 1_000_000 + b"0]", b"[" * 100_000
    socks = me.many(me.gateway, 8)
    for sock in socks:
        body = b'{"v":1,"verb":"jobs","args":{"names":' + me.rng.choice((wide, deep)) + b"}}"
        with contextlib.suppress(OSError):
            sock.sendall(len(body).to_bytes(4, "big") + body)


def unfinished(me: User) -> None:
    """Frames that are announced and begun."""
    for sock in me.many(me.gateway, 300):
        with contextlib.suppress(OSError):
            sock.sendall((64 << 20).to_bytes(4, "big") + b"[" * 1000)


def watches(me: User) -> None:
    """Listings that are watched and jobs that are waited for, by hundreds."""
    for sock in me.many(me.gateway, 300):
        request = me.rng.choice((("watch", {"verb": "jobs", "args": {}}), ("wait", {"ids": ["1"]})))
        with contextlib.suppress(OSError):
            sock.sendall(frame({"v": 1, "verb": request[0], "args": request[1]}))


def host_lists(me: User) -> None:
    """A few letters that stand for very many names."""
    for _ in range(5):
        text = me.rng.choice(_LISTS)
        me.ask("submit", {"jobs": [me.job("exit 1", nodelist=text, exclude=text)]})
        me.ask("jobs", {"nodes": [text]})
        me.ask("show", {"what": "node", "names": [text]})
        me.ask("jobs", {"selectors": f"1_[0-{9**17}:2],2_[{','.join(str(each * 2) for each in range(999))}]"})


def environments(me: User) -> None:
    """Large environments, each another one, many times; then away with them."""
    ids: list[int] = []
    for number in range(12):
        large = {f"V{each}": f"{number}." * 5000 for each in range(60)}
        ids += me.submit(*({**me.job("exit 1", hold=True), "env": {**large, "N": str(each)}} for each in range(4)))
    me.ask("cancel", {"selectors": ",".join(map(str, ids)), "filters": {}})


def foreign_text(me: User) -> None:
    """Names, comments and paths that a terminal would obey."""
    for text in ("\x1b]0;owned\x07\x1b[2J", "\u202etxt.exe", "a\nb\rc", "\x9b31m", "%s%n{0.__class__}", "\udcff\udcfe"):
        me.submit(
            me.job("exit 2", job_name=text, extra_attr=json.dumps({"comment": text})),
            me.job("exit 2", comment=text, hold=True, account=text),
        )


def deaf(me: User) -> None:
    """Long answers that nobody reads."""
    for sock in me.many(me.gateway, 20):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with contextlib.suppress(OSError):
            sock.sendall(frame({"v": 1, "verb": "history", "args": {"limit": 100000}}) * 5)


ATTACKS = (wild_requests, flood, unfinished, watches, host_lists, environments, foreign_text, deaf)
