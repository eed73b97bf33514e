"""Scripts and environments of jobs: fetched once, checked against the signed digest, laid on disk."""

import bisect
import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from crane_celery.errors import CraneError, Denied, NotFound, SystemFault
from crane_celery.grammar.directives import interpreter_of
from crane_celery.model import body as stored
from crane_celery.model.job import JobSpec

_KEEP = 256
_SHELLS = ("/bin/bash", "/bin/sh")
#: shells of users that read a login environment and then take the line below
_LOGIN_SHELLS = ("bash", "sh", "dash", "ksh", "zsh")
#: with what a worker that was killed had not finished writing
_FILE = re.compile(r"job(\d+)\.[0-9a-f]+\.(?:sh|items)(?:\.\d+)?")
Key = tuple[int, int]
_LOGIN = 'PATH="${1:+$1:}$PATH"; export PATH; shift; exec "$@"'


class SpoolFault(SystemFault):
    """The node cannot write its spool: no job's fault."""


class Body(NamedTuple):
    """Record of what one submission runs."""

    argv: list[str]
    env: dict[str, str]
    umask: int
    login: bool = False  # in a login environment (--get-user-env)
    items: str = ""  # the file with the values of an array's elements (model.body); "" = they have none

    def item(self, rank: int) -> str | None:
        """The value of one element. Raises OSError or IndexError where the file is damaged."""
        if not self.items:
            return None
        with open(self.items, "rb", buffering=0) as file:
            return os.fsdecode(stored.item_at(lambda count, at: os.pread(file.fileno(), count, at), rank))


class Bodies:
    """A cache by job id. A script's file stays in the spool while a run of its job is here (a shell reads on in it),
    and until the second `tidy` after: the next element's launch needs no other then."""

    def __init__(self, fetch: Callable[[int], bytes | None], spool: str) -> None:
        """``fetch``: the store's ``body``. Takes over what an earlier worker has left in the spool."""
        self._fetch = fetch
        self._spool = spool
        self._known: OrderedDict[int, Body] = OrderedDict()
        self._lock = threading.Lock()
        self._runs: dict[Key, int] = {}  # runs that are here, each with its job
        self._idle: set[int] = set()  # jobs without any, at the last `tidy`
        self._files: dict[int, set[str]] = {}
        for name in os.listdir(spool):
            if found := _FILE.fullmatch(name):
                self._files.setdefault(int(found[1]), set()).add(f"{spool}/{name}")

    def get(self, job: int, spec: JobSpec) -> Body:
        """The body of a job. Raises NotFound when the store has it no more, Denied when it is not what was signed."""
        if job not in self._known:
            self._known[job] = self._load(job, spec)
            if len(self._known) > _KEEP:
                self._known.popitem(last=False)
        return self._known[job]

    def _load(self, job: int, spec: JobSpec) -> Body:
        data = self._fetch(job)
        if data is None:
            raise NotFound(f"the script of job {job} is not in the store any more")
        if hashlib.sha256(data).hexdigest() != spec.body:
            raise Denied(f"the script of job {job} is not the one that was signed; it is not run")
        try:
            return self._made(job, spec, *stored.split(data))
        except OSError as error:
            raise SpoolFault(f"the script of job {job} cannot be written to {self._spool}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Denied(f"the script of job {job} cannot be read ({type(error).__name__}: {error})") from error

    def _made(self, job: int, spec: JobSpec, head: bytes, items: bytes) -> Body:
        value: dict[str, Any] = json.loads(head)
        path = self._write(job, spec, "sh", value["script"].encode("utf-8", "surrogateescape"))
        argv = [*self._interpreter(value), path, *value["argv"]]
        umask, login = int(value.get("umask", 0o022)) & 0o777, bool(value.get("get_user_env"))
        return Body(argv, dict(value["env"]), umask, login, self._write(job, spec, "items", items) if items else "")

    @staticmethod
    def _interpreter(value: dict[str, Any]) -> list[str]:
        chosen = value.get("interpreter")
        try:
            words = [chosen] if chosen else list(interpreter_of(value["script"]))
        except CraneError:
            words = []
        if words and not words[0].startswith("/"):
            words[0] = shutil.which(words[0]) or words[0]
        return words or [next(shell for shell in _SHELLS if os.path.exists(shell))]

    def _write(self, job: int, spec: JobSpec, kind: str, content: bytes) -> str:
        """Only the job's user may read it."""
        path = f"{self._spool}/job{job}.{re.sub(r'[^0-9a-f]', '', spec.body)[:12]}.{kind}"
        fresh = f"{path}.{os.getpid()}"
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
            os.fchmod(fd, 0o400)
            if os.geteuid() == 0:
                os.fchown(fd, spec.uid, spec.gid)
        os.replace(fresh, path)
        self._files.setdefault(job, set()).add(path)
        return path

    # -- what is here no more

    def take(self, runs: Mapping[Key, int]) -> None:
        """These runs, each with its job, are going to be launched."""
        with self._lock:
            self._runs.update(runs)

    def holds(self, run: Key) -> bool:
        """Return whether this one is here."""
        return run in self._runs

    def ended(self, runs: Iterable[Key]) -> None:
        """These are over."""
        with self._lock:
            for key in runs:
                self._runs.pop(key, None)

    def recall(self, runs: Iterable[Key]) -> None:
        """A shepherd has these. One that we have not launched is of the job with the nearest number below, if of any
        whose script is here: elements' ids follow their array's."""
        with self._lock:
            jobs = sorted(self._files)
            for key in runs:
                at = bisect.bisect_right(jobs, key[0])
                self._runs.setdefault(key, jobs[at - 1] if at else 0)

    def tidy(self) -> None:
        """Remove the files of jobs of which nothing was here the last time, and is now."""
        with self._lock:
            idle = self._files.keys() - self._runs.values()
        for job in idle & self._idle:
            self._remove(job)
        self._idle = idle - self._idle

    def sweep(self, alive: Callable[[list[int]], set[int]]) -> None:
        """Remove the files of jobs that are over, though we have not heard of the end of all their runs: a launch that
        came twice has no second end. ``alive``: of these jobs, those that are not over."""
        for job in self._files.keys() - alive(list(self._files)):
            self._remove(job)

    def _remove(self, job: int) -> None:
        self._known.pop(job, None)
        for path in self._files.pop(job):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def account_of(uid: int, gid: int) -> tuple[dict[str, str], list[int]]:
    """Variables and groups of a user; a uid without an entry has its own group only."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return {"HOME": "/", "SHELL": "/bin/sh", "USER": str(uid), "LOGNAME": str(uid)}, [gid]
    name = entry.pw_name
    variables = {"HOME": entry.pw_dir, "SHELL": entry.pw_shell or "/bin/sh", "USER": name, "LOGNAME": name}
    return variables, os.getgrouplist(name, gid)


def login(argv: list[str], shell: str, commands: str) -> list[str]:
    """The same, started by the user's login shell once it has read the profile files; /bin/sh where that is none.

    It is the job's own process that reads them: as the user, in the job's cgroup, within its time limit, its words in
    the job's output. What they set wins over what travelled with the job; the directory ``commands`` stays on PATH.
    """
    able = os.path.basename(shell) in _LOGIN_SHELLS and os.access(shell, os.X_OK)
    return [shell if able else "/bin/sh", "-l", "-c", _LOGIN, "login", commands, *argv]
