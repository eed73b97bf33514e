"""The agent's end of the shepherd's socket: connects, starts a shepherd where there is none, comes back."""

import contextlib
import logging
import selectors
import threading
from collections.abc import Callable

from crane_celery import faults
from crane_celery.wire.link import Hangup, Link, Message
from workers.agent import shepherd_start

log = logging.getLogger(__name__)
_RETRY_S = 1.0


class Shepherding:
    """One thread that reads; any thread may send."""

    def __init__(self, config: Message, log_path: str, hear: Callable[[int, Message], None]) -> None:
        """``hear`` gets (generation, frame), in order; the generation grows with each connection."""
        self._config = config
        self._log_path = log_path
        self._hear = hear
        self._lock = threading.Lock()
        self._link: Link | None = None
        self.generation = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shepherding", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Hang up; the shepherd goes on."""
        self._stop.set()
        with self._lock:
            if self._link is not None:
                with contextlib.suppress(OSError):  # it hung up first
                    self._link.sock.shutdown(2)
        self._thread.join(5)

    def send(self, message: Message, generation: int | None = None) -> bool:
        """Send, waiting while the shepherd is busy; False when there is no shepherd (of this generation) now."""
        with self._lock:
            link = self._link
            if link is None or (generation is not None and generation != self.generation):
                return False
            link.send(message)
            with selectors.DefaultSelector() as one:
                one.register(link, selectors.EVENT_WRITE)
                while link.waiting:
                    one.select()
                    link.flush()
            return True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                link = shepherd_start.find(self._config, self._log_path)
            except OSError as exc:
                log.error("no shepherd: %s; see %s", exc, self._log_path)
                self._stop.wait(_RETRY_S)
                continue
            with self._lock:
                self._link, self.generation = link, self.generation + 1
            self.send({"op": "agent"})
            self._read(link)
            with self._lock:
                self._link = None
            link.close()
            shepherd_start.bury()

    def _read(self, link: Link) -> None:
        with selectors.DefaultSelector() as one:
            one.register(link, selectors.EVENT_READ)
            try:
                while not self._stop.is_set():
                    one.select()
                    for message in link.receive():
                        self._hear(self.generation, message)
            except Hangup:
                log.warning("the shepherd went away")
            except Exception:  # this thread must go on: connecting again makes the shepherd say all of it again
                faults.record("a frame of the shepherd failed")
                self._stop.wait(_RETRY_S)
