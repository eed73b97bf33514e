"""Decide who runs which role: one small file per role in the run directory, ``<pid> <start time>``.

They outlive the supervisor, so that ``crane down`` finds everything after a crash of it, and a new supervisor finds
what the old one left. A file is believed only where nobody else can have written it (trust).
"""

import contextlib
import os

from crane_celery import trust
from crane_celery.errors import Untrusted
from crane_celery.supervisor.processes import Record, alive


def folder(run_dir: str) -> str:
    """Return where the files are."""
    return os.path.join(run_dir, "pids")


def write(run_dir: str, role: str, record: Record) -> None:
    """Note a role's process, atomically. Raises Untrusted, OSError."""
    trust.make_directory(folder(run_dir))
    path = os.path.join(folder(run_dir), role)
    fd = trust.opened(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with open(fd, "w", encoding="ascii") as file:
        file.write(f"{record.pid} {record.start}\n")
    os.replace(f"{path}.new", path)


def remove(run_dir: str, role: str) -> None:
    """Forget a role. Idempotent; a file that stays is told apart by its start time."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder(run_dir), role))


def read(run_dir: str) -> dict[str, Record]:
    """Return the living processes by role. Raises Untrusted where somebody else can have written of them."""
    try:
        trust.directory(run_dir)
        trust.directory(folder(run_dir))
        names = sorted(os.listdir(folder(run_dir)))
    except FileNotFoundError:
        return {}
    found = {name: _one(os.path.join(folder(run_dir), name)) for name in names if not name.endswith(".new")}
    return {name: record for name, record in found.items() if record and alive(record)}


def _one(path: str) -> Record | None:
    try:
        pid, start = trust.read_line(path).split()
        return Record(int(pid), int(start))
    except Untrusted:
        raise
    except (OSError, ValueError):
        return None
