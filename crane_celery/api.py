"""The cluster for Python programs::

    from crane_celery.api import Cluster, Task

    cluster = Cluster()
    job = cluster.submit("fit.sh", args=["data.csv"], cpus_per_task=4, mem="2G", time="1:00:00")
    ids = cluster.submit_many(Task(command=f"echo {n}") for n in range(10_000))
    codes = cluster.wait(job, *ids)

Everything goes through the gateway, as the commands do: no credentials, and the kernel says who is calling. Options are
those of ``cbatch`` with underscores; values may be text or numbers. Errors are those of ``crane_celery.errors``.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from crane_celery import outputs
from crane_celery.errors import InputError
from crane_celery.gateway import client
from crane_celery.surroundings import surroundings
from crane_celery.zone import zone

#: jobs in one request: bounds its size, and what a lost connection has to repeat
BATCH = 2000
#: options for which False is an answer and not the absence of one
_ANSWERS = ("requeue", "kill_on_invalid_dep")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A job to be: a script's text, a script's path, or a shell command (exactly one), and options of ``cbatch``."""

    script: str = ""
    path: str | os.PathLike[str] = ""
    command: str = ""
    args: Sequence[str] = ()
    #: added to (or, as the only one, instead of) what all jobs of a request share; None = the caller's environment
    env: Mapping[str, str] | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    #: makes an array with an element for each, which finds its own in CRANE_ARRAY_ITEM
    items: Sequence[str] = ()

    def request(self) -> Row:
        """As the gateway takes it. Raises InputError unless exactly one of the three is given, OSError for the path."""
        if sum(map(bool, (self.script, self.path, self.command))) != 1:
            raise InputError("give exactly one of script, path and command")
        options = {name: _option(name, value) for name, value in self.options.items() if value or name in _ANSWERS}
        options.setdefault("job_name", os.path.basename(self.path) if self.path else "Wrap" if self.command else "job")
        options["command"] = str(self.path or self.command or "-")
        job: Row = {"options": options, "script": self._text(), "argv": [str(each) for each in self.args]}
        if self.items:
            job["items"] = [str(each) for each in self.items]
        if self.env is not None:
            job["env"] = dict(self.env)
        return job

    def _text(self) -> str:
        if self.command:
            return f"#!/bin/sh\n{self.command}\n"
        return self.script or os.fsdecode(Path(self.path).read_bytes())


class Cluster:
    """One cluster, through its gateway. Holds no connection; safe to share between threads."""

    def __init__(self, socket: str | None = None) -> None:
        """``socket`` is the gateway's path; None finds it as the commands do."""
        self._socket = socket

    def submit(
        self,
        path: str | os.PathLike[str] = "",
        *,
        script: str = "",
        command: str = "",
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        items: Sequence[str] = (),
        **options: object,
    ) -> int:
        """Submit one job and return its id. Raises Refused, InputError, Unreachable."""
        task = Task(path=path, script=script, command=command, args=args, env=env, options=options, items=items)
        return self.submit_many([task])[0]

    def submit_many(self, tasks: Iterable[Task], key: str = "") -> list[int]:
        """Submit any number of jobs, in batches; ids in order. A batch is accepted whole or not at all.

        ``key`` makes a repeated call harmless: with the same key and tasks it returns the same ids within a day.
        """
        key = key or os.urandom(16).hex()
        common = surroundings()
        rest = iter(tasks)
        ids: list[int] = []
        for number, batch in enumerate(iter(lambda: list(islice(rest, BATCH)), [])):
            asked = {"jobs": [task.request() for task in batch], "common": common, "key": f"{key}.{number}"}
            ids += self._call("submit", asked)["ids"]
        return ids

    def wait(self, *ids: int | str, on_progress: Callable[[Row], None] | None = None) -> dict[str, int]:
        """Block until all have ended: stored exit code by id. ``on_progress`` hears total, ended and ok."""
        asked = {"ids": list(ids)}
        value = client.follow("wait", asked, on_progress or (lambda _counts: None), self._socket)
        return dict(value["codes"])

    def cancel(self, *ids: int | str, signal: str = "", **filters: Sequence[str]) -> Row:
        """Cancel by id (``36``, ``"36_[1-3]"``) or filter (users, names, states...): cancelled, failed, never."""
        asked = {"selectors": ",".join(map(str, ids)), "filters": _lists(filters), "signal": signal}
        return dict(self._call("cancel", asked))

    def hold(self, *ids: int | str, time: str = "") -> Row:
        """Hold pending jobs or elements, with ``time`` (``"1h"``) only so long: done, failed."""
        return self._act("hold", ids, **({"time": time} if time else {}))

    def release(self, *ids: int | str) -> Row:
        """Let held jobs or elements go: done, failed."""
        return self._act("release", ids)

    def suspend(self, *ids: int | str) -> Row:
        """Stop what runs, its resources kept: done, failed."""
        return self._act("suspend", ids)

    def resume(self, *ids: int | str) -> Row:
        """Let what is suspended go on: done, failed."""
        return self._act("resume", ids)

    def requeue(self, *ids: int | str, incomplete: bool = False, running: bool = False, **changes: object) -> Row:
        """Run jobs or elements again, in the same array: done, failed, notes.

        ``incomplete``: only what ended without completing; what is at work is left alone unless ``running``.
        ``changes`` of what runs again: keys as of ``ccontrol update``, such as ``mem="1G"``.
        """
        more = {"set": {key: str(value) for key, value in changes.items()}, "tz": zone()} if changes else {}
        return self._act("requeue", ids, incomplete=incomplete, running=running, **more)

    def update(self, *ids: int | str, **changes: object) -> Row:
        """Change jobs or elements; keys as of ``ccontrol update``, such as ``timelimit="2:00:00"``: done, failed."""
        return self._act("update", ids, set={key: str(value) for key, value in changes.items()})

    def retry(self, array: int | str, hold: bool = False, **options: object) -> int:
        """Submit again what ended of an array and did not complete, indexes kept, with other options where some are
        given (``mem="2G"``); the new id."""
        asked: Row = {"selectors": str(array), "hold": hold, "key": os.urandom(16).hex()}
        if options:
            asked["options"] = {name: _option(name, value) for name, value in options.items()}
            asked |= {"cwd": os.getcwd(), "tz": zone()}
        return int(self._call("retry", asked)["ids"][0])

    def jobs(self, *ids: int | str, **filters: Sequence[str]) -> list[Row]:
        """The live queue, arrays folded; with ids only those."""
        return list(self._call("jobs", {"selectors": ",".join(map(str, ids)), **_lists(filters)}))

    def history(self, *ids: int | str, steps: bool = False, **filters: Any) -> list[Row]:
        """Return what has run, newest first, all of it without a ``limit``; filters as of ``cacct``, intervals as
        text under
        start, end and submit; with ``last`` only the last run of each."""
        asked: Row = {"selectors": ",".join(map(str, ids)), "steps": steps, "limit": 0}
        asked.update(
            {name: filters.pop(name) for name in ("start", "end", "submit", "limit", "last") if name in filters}
        )
        return list(self._call("history", {**asked, **_lists(filters)}))

    def show(self, what: str, *names: int | str) -> list[Row]:
        """Full records: ``show("job", 12)``, ``show("node")``."""
        return list(self._call("show", {"what": what, "names": [str(each) for each in names]}))

    def output(self, id: int | str, error: bool = False, lines: int | None = None) -> str:
        """Return what a job or element has written, from where it lies in this host's reach, read as this user; of
        an array
        all of it in the order of its elements. ``error``: standard error; ``lines``: only the last of them, of each.

        Bytes that are not UTF-8 are kept as ``os.fsdecode`` keeps them. Raises NotFound, Refused: why there is nothing.
        """
        rows = self._call("output", {"selectors": str(id)})
        return "".join(os.fsdecode(outputs.read(row, error, lines)) for row in rows)

    def nodes(self) -> list[Row]:
        """All nodes with what is free."""
        return list(self._call("nodes", {})["nodes"])

    def ping(self) -> Row:
        """Version, cluster, server time and who the gateway takes us for."""
        return dict(self._call("ping", {}))

    def _act(self, verb: str, ids: Sequence[int | str], **more: object) -> Row:
        return dict(self._call(verb, {"selectors": ",".join(map(str, ids)), **more}))

    def _call(self, verb: str, args: Mapping[str, object]) -> Any:
        return client.call(verb, args, self._socket)


def _option(name: str, value: object) -> object:
    """An option as the gateway takes it: switches as they are, all else as text."""
    if name in _ANSWERS and isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is True else str(value)


def _lists(filters: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Filters as lists; a lone text is a list of one."""
    return {name: [each] if isinstance(each, str) else list(each) for name, each in filters.items()}
