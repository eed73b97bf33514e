"""Define where a cluster lies on the host: its home, and a run directory whose socket paths are short enough.

A Unix socket's path holds 107 bytes (sockaddr_un), and a URL wants a plain one. Where ``<home>/run`` is long or has
unusual characters, it is a symbolic link to a directory ``/tmp/crane-<uid>-<hash>`` that must be ours.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from errno import EACCES

from crane_celery import trust
from crane_celery.errors import SystemFault

#: bytes that `<run>/node.<name>/gateway.sock` may still need behind the run directory
_ROOM = 60
_PATH_MAX = 107
_PLAIN = re.compile(r"[A-Za-z0-9_./-]+", re.ASCII)
SYSTEM_HOME = "/var/lib/crane"
SYSTEM_RUN = "/run/crane"


def default_home(environ: Mapping[str, str] = os.environ) -> str:
    """``$XDG_STATE_HOME/crane``, i.e. ``~/.local/state/crane``."""
    state = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "crane")


def home_of(environ: Mapping[str, str] = os.environ) -> str:
    """The home that the environment chooses: ``$CRANE_HOME``, else the default one. Absolute."""
    return os.path.abspath(environ.get("CRANE_HOME") or default_home(environ))


def run_dir_of(home: str) -> str:
    """The directory for a home's sockets, links resolved; it need not exist yet."""
    wanted = os.path.realpath(os.path.join(home, "run"))
    if fits(wanted):
        return wanted
    real = os.path.realpath(home)
    owner = os.stat(real).st_uid if os.path.exists(real) else os.geteuid()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    return f"/tmp/crane-{owner}-{digest}"


def fits(path: str) -> bool:
    """Return whether sockets below this directory have paths that are short and plain enough."""
    return len(os.fsencode(path)) + _ROOM <= _PATH_MAX and _PLAIN.fullmatch(path) is not None


def usable(folder: str, mode: int = 0o755, must_write: bool = True) -> None:
    """Make a folder if need be. Raises SystemFault where it cannot be made, or where we cannot write to it."""
    try:
        os.makedirs(folder, mode=mode, exist_ok=True)
    except OSError as error:
        raise SystemFault(f"cannot make {folder}: {error.strerror}; make it writable for uid {os.geteuid()}") from error
    if must_write and not os.access(folder, os.W_OK | os.X_OK):
        raise SystemFault(f"cannot write to {folder}: make it writable for uid {os.geteuid()}")


def prepare_run_dir(home: str, run_dir: str) -> None:
    """Make the run directory, mode 0755 as commands of others look for sockets in it, and the link to it.

    Raises Untrusted where it belongs to somebody else, can be written by others, or is a link: /tmp is everybody's.
    """
    usable(os.path.dirname(run_dir), must_write=False)
    trust.make_directory(run_dir)
    link = os.path.join(home, "run")
    if os.path.realpath(link) != os.path.realpath(run_dir):
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)
            os.symlink(run_dir, link)
        except OSError as error:
            mend = f"make {home} writable for uid {os.geteuid()}" if error.errno == EACCES else f"move {link} away"
            raise SystemFault(f"cannot make the link {link}: {error.strerror}; {mend}") from error
