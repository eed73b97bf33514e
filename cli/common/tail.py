"""Output of jobs as ``clog`` shows it: once, or on and on until the jobs have ended.

Nothing is asked again and again: the kernel tells of files, the gateway of jobs. Only where other hosts write (a shared
file system) is a file looked at once a second.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import sys
from contextlib import suppress

from cli.common.inotify import Watch
from cli.common.main import complain
from crane_celery import outputs
from crane_celery.errors import CraneError
from crane_celery.grammar.printable import printable, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Row = Mapping[str, Any]

_BLOCK = 1 << 16
_LOOK_MS = 1000
#: bytes by which a file that was cut and written again to the same length is found out
_COMPARED = 256


class Printer:
    """Writes pieces of files to stdout, under a header each time another file comes where there are several."""

    def __init__(self, several: bool) -> None:
        """``several``: whether headers are needed."""
        self._several = several
        self._last: str | None = None
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def write(self, row: Row, path: str, data: bytes) -> None:
        """A piece. Other people's output is made visible where it goes to a terminal; lines and tabs stay."""
        name = str(row["jobid"])
        if self._several and name != self._last:
            where = f" on {row['node']}" if row["node"] else ""
            head = visible(f"==> {name} {row['state']}{where}: {printable(path)} <==")
            sys.stdout.buffer.write(("" if self._last is None else "\n").encode() + head.encode() + b"\n")
        self._last = name
        if row["uid"] != os.getuid() and sys.stdout.isatty():
            made = codecs.getincrementaldecoder("utf-8")("surrogateescape")
            text = self._decoders.setdefault(name, made).decode(data)
            sys.stdout.write(re.sub(r"[^\n\t]+", lambda piece: visible(piece[0]), text))
        else:
            sys.stdout.buffer.write(data)
        sys.stdout.flush()


class Followed:
    """One element's file, as far as it has been shown."""

    def __init__(self, row: Row, error: bool, lines: int | None) -> None:
        """Nothing is opened yet."""
        self.row, self._error, self._lines = row, error, lines
        self._fd, self._at = -1, 0
        self._end = b""  # the last bytes shown
        self._cut = False  # shown from its beginning again since the last word of the job
        self._said = ""

    @property
    def path(self) -> str:
        """Return where it lies."""
        return outputs.path_of(self.row, self._error)

    def update(self, row: Row) -> None:
        """Take what is known of the job now; another run writes another file, or the same from its beginning."""
        again = row["run"] != self.row["run"]
        moved = outputs.path_of(row, self._error) != self.path
        self.row = row
        rewritten = again and row["open_mode"] != "append" and not self._cut
        if self._fd >= 0 and (moved or rewritten):
            self._close()
        self._cut = self._cut and not again

    def pump(self, printer: Printer) -> None:
        """Show what is there beyond what has been shown."""
        if self._fd < 0 and not self._open():
            return
        self._drain(printer)
        if self._replaced():
            self._close()
            if self._open():
                self._drain(printer)

    def has_more(self) -> bool:
        """Return whether more is there than has been shown."""
        return self._fd < 0 or os.fstat(self._fd).st_size > self._at

    def missing(self) -> str:
        """Why nothing of it can be shown, "" where it can."""
        return self._said if self._fd < 0 and not self._at else ""

    def _open(self) -> bool:
        try:
            self._fd = outputs.opened(self.row, self._error)
        except CraneError as error:
            self._said = error.message
            return False
        self._at = outputs.tail_start(self._fd, self._lines)
        self._lines = None
        return True

    def _close(self) -> None:
        os.close(self._fd)
        self._fd, self._at, self._end = -1, 0, b""

    def _replaced(self) -> bool:
        """Return whether another file has come under the name."""
        try:
            now, ours = os.stat(self.path), os.fstat(self._fd)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)

    def _drain(self, printer: Printer) -> None:
        if self._rewritten():
            complain(f"clog: {printable(self.path)} was cut: from its beginning again", "33")
            self._at, self._end, self._cut = 0, b"", True
        while piece := os.pread(self._fd, _BLOCK, self._at):
            printer.write(self.row, self.path, piece)
            self._at += len(piece)
            self._end = (self._end + piece)[-_COMPARED:]

    def _rewritten(self) -> bool:
        """Return whether the file is shorter than what was shown of it, or ends otherwise there."""
        return os.pread(self._fd, len(self._end), self._at - len(self._end)) != self._end


def show(rows: Sequence[Row], error: bool, lines: int | None) -> list[str]:
    """Show the files once; why some could not be."""
    printer, failed = Printer(len(rows) > 1), []
    for row in rows:
        file = Followed(row, error, lines)
        file.pump(printer)
        if why := file.missing():
            failed.append(why)
    return failed


def follow(ids: Sequence[str], ask: Callable[[], Sequence[Row]], error: bool, lines: int | None) -> list[str]:
    """Show the files until all these jobs have ended; ``ask`` says where they are. Why some could not be shown."""
    ends, watch = _Ends(ids), Watch()
    files: dict[int, Followed] = {}
    printer: Printer | None = None
    poll = select.poll()
    poll.register(ends.fd, select.POLLIN)
    poll.register(watch.fd, select.POLLIN)
    news, over, heard, known = True, False, False, None
    while True:
        behind = False
        if news:
            rows = ask()
            for row in rows:
                files.setdefault(row["id"], Followed(row, error, lines)).update(row)
            printer = printer or Printer(len(files) > 1)
            state = [(row["id"], row["run"], row["state"]) for row in rows]
            # who tells of a change may be ahead of who answers: then ask once more, a moment later
            behind, known = heard and state == known, state
        # added before they are read: what is written in between is told of
        told = [watch.add(file.path) for file in files.values() if outputs.began(file.row)]
        for file in files.values():
            assert printer is not None
            file.pump(printer)
        if over:
            return list(filter(None, (file.missing() for file in files.values())))
        ready = {fd for fd, _ in poll.poll(None if all(told) and not behind else _LOOK_MS)}
        watch.clear()
        heard = ends.fd in ready
        # a file that changed and has no more than before may be that of another run
        quiet = watch.fd in ready and not any(file.has_more() for file in files.values())
        news = heard or quiet or behind
        over = heard and ends.read()


class _Ends:
    """Readable (``fd``) when a job starts or ends: the gateway tells a thread."""

    def __init__(self, ids: Sequence[str]) -> None:
        """Begin to wait for these jobs."""
        import threading

        self.fd, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._ids = list(ids)
        self._error: CraneError | None = None
        threading.Thread(target=self._wait, name="ends", daemon=True).start()

    def _wait(self) -> None:
        from crane_celery.gateway.client import follow

        try:
            follow("wait", {"ids": self._ids}, lambda _counts: self._tell(b"m"))
        except CraneError as error:
            self._error = error
        self._tell(b"e")

    def _tell(self, news: bytes) -> None:
        with suppress(BlockingIOError):
            os.write(self._write, news)

    def read(self) -> bool:
        """Take the news: whether all have ended. Raises what the gateway refused with."""
        over = False
        with suppress(BlockingIOError):
            while data := os.read(self.fd, 4096):
                over = over or b"e" in data
        if self._error:
            raise self._error
        return over
