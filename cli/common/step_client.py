"""One step as crun sees it: asked for at the node's shepherd, followed until it ends, found again when that restarts.

A shepherd that says nothing for long may be at work on a long step, or stand still: another connection asks it. One
that does not take the request is given up; one that falls silent later is waited for, with a word to the person, who
may give up by a signal.
"""

from __future__ import annotations

from cli.common.main import complain
from crane_celery.errors import Denied, NotFound, Refused, Unreachable
from crane_celery.surroundings import seconds
from crane_celery.trust import stranger_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

#: seconds to look for a shepherd that does not answer
_PATIENCE_S = 20.0
_RETRY_S = 0.1
#: seconds of silence after which it is asked whether it is there (CRANE_ANSWER_TIMEOUT)
_ANSWER_S = 120.0
#: refusals by number (reference section 1.12)
_NOT_RUNNING, _NOT_YOURS = 79, 54


class Step:
    """One step, from the asking to its end."""

    def __init__(self, path: str, quiet: bool) -> None:
        """``path``: the shepherd's socket."""
        if not path:
            raise Unreachable("CRANE_SHEPHERD is not set: a step can only be started inside a job of this node")
        self._path = path
        self._quiet = quiet
        self._job = 0
        self._asked: tuple[dict[str, Any], list[int]] = ({}, [])
        self._known: tuple[int, int] | None = None  # (run, step)
        self._sock: socket.socket | None = None
        self._heard = self._deaf = False  # it took the request; it does not answer now
        self._answer_s = seconds("CRANE_ANSWER_TIMEOUT", _ANSWER_S, 0.1)

    def run(self, message: dict[str, Any], files: list[int]) -> int:
        """Ask, wait, and return the exit code."""
        import signal

        self._job = message["job"]
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
            signal.signal(getattr(signal, name), self._forward)
        self._asked = (message, files)
        self._again()
        try:
            while True:
                frame = self._receive()
                if frame is None:
                    self._again()
                elif (code := self._take(frame)) is not None:
                    return code
        finally:
            if self._sock is not None:
                self._sock.close()

    def _say(self, text: str) -> None:
        if not self._quiet:
            complain(text, "")

    def _connect(self) -> None:
        import time

        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._sock = self._connected()
                return
            except OSError as error:
                if time.monotonic() > until:
                    raise Unreachable(
                        f"the node's shepherd does not answer at {self._path}: {error.strerror}"
                    ) from error
                time.sleep(_RETRY_S)

    def _connected(self) -> socket.socket:
        """A connection to the shepherd. Raises OSError, Denied."""
        import socket

        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self._answer_s)
            sock.connect(self._path)
            if why := stranger_at(sock, self._path):
                raise Denied(why)
        except BaseException:
            sock.close()
            raise
        return sock

    def _send(self, message: dict[str, Any], files: list[int]) -> None:
        import socket

        from crane_celery.wire import framing

        assert self._sock is not None
        frame = framing.frame(framing.encode(message))
        sent = socket.send_fds(self._sock, [frame], files) if files else 0
        self._sock.sendall(frame[sent:])

    def _receive(self) -> dict[str, Any] | None:
        import json

        from crane_celery.wire import framing

        head = self._exactly(framing.HEADER)
        data = self._exactly(framing.length(head)) if head else b""
        frame: dict[str, Any] | None = json.loads(data) if data else None
        return frame

    def _exactly(self, count: int) -> bytes:
        assert self._sock is not None
        data = b""
        while len(data) < count:
            try:
                piece = self._sock.recv(count - len(data))
            except TimeoutError:
                self._silent()
                continue
            except OSError:
                return b""
            if not piece:
                return b""
            data += piece
        return data

    def _silent(self) -> None:
        """Nothing was heard for long: ask whether anybody is there. Raises Unreachable before the request was taken."""
        if self._answers():
            self._deaf = False
        elif not self._heard:
            raise Unreachable(
                f"the node's shepherd at {self._path} takes connections and does not answer: the step was not begun;"
                " try again, or tell the operators of this node"
            )
        elif not self._deaf:
            self._deaf = True
            complain(
                f"the node's shepherd has not answered for {self._answer_s:g} s: the step may go on, and is waited for"
                " (interrupt to give up)"
            )

    def _answers(self) -> bool:
        from crane_celery.wire import framing

        try:
            sock = self._connected()
        except OSError:
            return False
        try:
            sock.sendall(framing.frame(b'{"op":"ping"}'))
            return bool(sock.recv(1))
        except OSError:
            return False
        finally:
            sock.close()

    def _again(self) -> None:
        """Ask, or, when the shepherd went away, ask the next one for our step."""
        if self._sock is not None:
            self._sock.close()
        self._connect()
        if self._known is None:  # a step has its number before it is started
            self._try(*self._asked)
        else:
            self._try({"op": "attach", "job": self._job, "run": self._known[0], "step": self._known[1]}, [])

    def _try(self, message: dict[str, Any], files: list[int]) -> None:
        """Send; a connection that broke is noticed by the next receive."""
        try:
            self._send(message, files)
        except TimeoutError:
            self._silent()
            self._hang_up()  # a part of the frame was sent: the next receive sees the end, and asks again
        except OSError:
            return

    def _hang_up(self) -> None:
        assert self._sock is not None
        try:
            self._sock.shutdown(2)
        except OSError:
            return

    def _forward(self, number: int, _frame: object) -> None:
        if self._deaf:  # nobody passes it on
            raise SystemExit(128 + number)
        self._try({"op": "signal", "sig": number}, [])

    def _take(self, frame: dict[str, Any]) -> int | None:
        self._heard, self._deaf = True, False
        match frame["op"]:
            case "numbered":
                self._known = (frame["run"], frame["step"])
            case "again":
                self._known = None
                self._try(*self._asked)
            case "waiting":
                self._say(f"Job {self._job} step {frame['step']} allocated, waiting resources.")
            case "refused":
                kinds: dict[int, type[Refused]] = {_NOT_RUNNING: NotFound, _NOT_YOURS: Denied}
                raise kinds.get(frame["code"], Refused)(f"step refused: {frame['text']} (error {frame['code']})")
            case "exit":
                return self._end(frame)
        return None

    def _end(self, frame: dict[str, Any]) -> int:
        codes = []
        for task, status in enumerate(frame["status"]):
            code = 1 if status is None else status if status >= 0 else 128 - status
            codes.append(code)
            if status is None:
                complain(f"error: task {task}: {frame.get('text') or frame['cause'] or 'status lost'}")
            elif status < 0 or frame["cause"] in ("cancel", "limit", "job"):
                complain(f"error: task {task}: Terminated")
            elif code and not self._quiet:
                complain(f"error: task {task}: Exited with exit code {code}")
        return max(codes, default=0)
