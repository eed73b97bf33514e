"""Commands as another user: what an ordinary person meets on a cluster, also where the tests' own files are root's.

Needs root. Where the interpreter or the checkout lies below a directory that others may not enter (root's home), the
program runs in a mount namespace of its own in which that directory shows nothing but them.
"""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.cluster import ROOT

NOBODY = 65534


def needed() -> list[str]:
    """The directories that a command must read: the checkout, the environment, and the interpreter's own."""
    return sorted({str(ROOT), sys.prefix, sys.base_prefix})


def closed(path: str) -> str:
    """The topmost directory on the way to ``path`` that others may not enter; "" when there is none."""
    return next((str(each) for each in reversed(Path(path).parents) if not each.stat().st_mode & 0o001), "")


def opening() -> list[str]:
    """A prefix for a command line that makes everything needed reachable; [] where it is."""
    hidden = [path for path in needed() if closed(path)]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(_lines(hidden)), "sh"] * bool(
        hidden
    )


def _lines(hidden: list[str]) -> Iterator[str]:
    """Keep each directory by a descriptor, put an empty file system over what is closed, and bind it back."""
    for number, path in enumerate(hidden, 3):
        yield f"exec {number}<{shlex.quote(path)}"
    for over in sorted({closed(path) for path in hidden}):
        yield f"mount -t tmpfs -o mode=755 none {shlex.quote(over)}"
    for number, path in enumerate(hidden, 3):
        where = shlex.quote(path)
        yield f"mkdir -p {where} && mount -c --bind /proc/self/fd/{number} {where} && exec {number}<&-"
    yield 'exec "$@"'


def as_user(uid: int = NOBODY) -> list[str]:
    """A prefix that runs a command as this user, with no more groups or privileges than it has."""
    return [*opening(), "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
