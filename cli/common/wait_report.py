"""Define what a wait says on a terminal: how the jobs stand meanwhile, what failed at the end, what an interrupt
leaves.

The gateway tells of each change; nothing is asked again and again. On a pipe nothing of it is shown.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

from cli.common.main import complain
from cli.common.progress import Progress
from cli.output.cells import hosts, when
from cli.output.id_text import brief
from crane_celery.grammar.printable import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

#: failed elements that are named
FEW = 5
_SIGNAL_BASE = 256
_CODES = 320


class Standing:
    """The line that stands while jobs are awaited: counts of many, state and reason of one."""

    def __init__(self, ids: Sequence[int | str], label: str) -> None:
        """Begin to follow the jobs; silent with no label, or where nobody looks."""
        self._bar = Progress(label)
        self._ids = ",".join(map(str, ids))
        self._lock = threading.Lock()
        self._note = ""
        self._counts = (0, 0, "")
        self._over = False
        if label and self._bar.seen:
            threading.Thread(target=self._follow, name="standing", daemon=True).start()

    def count(self, ended: int, total: int, note: str) -> None:
        """Show how many of how many have ended, and more about them."""
        with self._lock:
            self._counts = (ended, total, note)
            self._draw()

    def close(self) -> None:
        """Leave the line; what comes later is not drawn."""
        with self._lock:
            self._over = True
            self._bar.close()

    def _follow(self) -> None:
        from crane_celery.errors import CraneError
        from crane_celery.gateway.client import follow

        with suppress(CraneError, OSError):  # the wait itself says what is wrong
            follow("watch", {"verb": "jobs", "args": {"selectors": self._ids}}, self._hear)

    def _hear(self, rows: Sequence[Mapping[str, Any]]) -> None:
        pending = rows and all(row["state"] == "Pending" for row in rows)
        start = _expected(self._ids) if pending else 0.0
        with self._lock:
            self._note = note(rows, start)
            self._draw()

    def _draw(self) -> None:
        ended, total, counted = self._counts
        if self._over:
            return
        if total > 1:
            self._bar.show(ended, total, ", ".join(filter(None, (counted, self._note if not ended else ""))))
        elif self._note:
            self._bar.line(self._note)


def note(rows: Sequence[Mapping[str, Any]], start: float) -> str:
    """``job 12 Pending (Resource), expected start 2026-01-31 12:00:00``, of the first of these rows."""
    if not rows:
        return ""
    row = next((row for row in rows if row["state"] != "Pending"), rows[0])
    said = f"job {brief(str(row['jobid']))} {row['state']}"
    if row["state"] == "Pending":
        said += f" ({row['reason']})" + (f", expected start {when(start)}" if start else "")
        return printable(said)
    since = f" since {when(row['began_at'])}" if row["began_at"] else ""
    return printable(f"{said} on {hosts(row['nodelist'])}{since}")


def _expected(ids: str) -> float:
    """The first expected start of what waits, 0 where nobody knows it."""
    from crane_celery.errors import CraneError
    from crane_celery.gateway.client import call

    try:
        return min(filter(None, call("start", {"selectors": ids}).values()), default=0.0)
    except (CraneError, OSError):
        return 0.0


def tell_failed(prog: str, codes: Mapping[str, int]) -> None:
    """Say what did not complete, and where its output lies."""
    from crane_celery.errors import CraneError
    from crane_celery.gateway.client import call

    bad = [id for id, code in codes.items() if code]
    try:
        rows = call("output", {"selectors": ",".join(bad), "failed": FEW + 1}) if bad else []
    except CraneError:
        rows = []
    for row in rows[:FEW]:
        complain(f"{prog}: {ending(row)}")
    if len(rows) > FEW:
        complain(f"{prog}: and more: cacct -j {brief(','.join(bad))} -t failed,timeout,cancelled,oom", "")
    if not rows:
        for id in bad[:FEW]:
            complain(f"{prog}: job {brief(id)} ended with {code_text(codes[id])}")


def ending(row: Mapping[str, Any]) -> str:
    """``job 12 Failed, exit code 3, on n1; output: /home/a/Crane-12.out``."""
    code = f", {code_text(row['code'])}" if 0 < row["code"] < _CODES else ""
    why = f" ({row['reason']})" if row["reason"] not in ("", "None", row["state"]) else ""
    where = f", on {row['node']}" if row["node"] else ""
    files = f"; output: {printable(row['stdout'])}" if row["began_at"] and row["stdout"] else ""
    if files and row["stderr"] not in ("", row["stdout"]):
        files += f", errors: {printable(row['stderr'])}"
    return f"job {row['jobid']} {row['state']}{code}{why}{where}{files}"


def code_text(code: int) -> str:
    """``exit code 3``, ``signal KILL``."""
    if _SIGNAL_BASE < code < _CODES:
        from crane_celery.grammar.signals import signal_name

        return f"signal {signal_name(code - _SIGNAL_BASE)}"
    return f"exit code {code}" if code < _SIGNAL_BASE else f"code {code}"


def tell_interrupted(prog: str, ids: Sequence[int | str]) -> None:
    """Say on a terminal that the jobs go on."""
    if sys.stderr.isatty():
        shown = brief(",".join(map(str, ids)))
        complain(f"{prog}: job {shown} goes on; 'ccancel {shown}' cancels it, 'cwait {shown}' waits again", "33")
