"""Who runs which role: one small file per role in the run directory, ``<pid> <start time>``.

They outlive the supervisor, so that ``crane down`` finds everything after a crash of it, and a new supervisor finds
what the old one left.
"""

import contextlib
import os

from crane_celery.supervisor.processes import Record, alive


def folder(run_dir: str) -> str:
    """Where the files are."""
    return os.path.join(run_dir, "pids")


def write(run_dir: str, role: str, record: Record) -> None:
    """Note a role's process, atomically."""
    os.makedirs(folder(run_dir), exist_ok=True)
    path = os.path.join(folder(run_dir), role)
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(f"{record.pid} {record.start}\n")
    os.replace(f"{path}.new", path)


def remove(run_dir: str, role: str) -> None:
    """Forget a role. Idempotent; a file that stays is told apart by its start time."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(folder(run_dir), role))


def read(run_dir: str) -> dict[str, Record]:
    """The living processes by role."""
    try:
        names = sorted(os.listdir(folder(run_dir)))
    except FileNotFoundError:
        return {}
    found = {name: _one(os.path.join(folder(run_dir), name)) for name in names if not name.endswith(".new")}
    return {name: record for name, record in found.items() if record and alive(record)}


def _one(path: str) -> Record | None:
    try:
        with open(path, encoding="ascii") as file:
            pid, start = file.read().split()
        return Record(int(pid), int(start))
    except (OSError, ValueError):
        return None
