"""The commands' end of the gateway: find the socket, ask once, hand back the value. Standard library only.

A gateway that does not answer is tried again for 10 s (``CRANE_CONNECT_TIMEOUT`` seconds), so that a restart of it goes
unnoticed. A lost connection is made anew and the same request sent once more: every verb may be repeated, a submission
because it carries an idempotency key.
"""

from __future__ import annotations

import _socket as socket  # the socket module around it costs a command a tenth of its whole time to import
import json
import os
import sys
import time

from crane_celery.errors import CraneError, Denied, OutcomeUnknown, SystemFault, Unreachable
from crane_celery.gateway.protocol import CHANGING, UNKNOWN, VERSION, pack, read_frame, result
from crane_celery.surroundings import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

_TRY_AGAIN_S = 0.05
_DEFAULT_PATIENCE_S = 10.0
#: seconds without a word of a gateway that has a request; verbs that send news may be silent for as long as they like
_ANSWER_S = 120.0
_STAYING = ("wait", "watch")
_SO_PEERCRED = 17
SYSTEM_SOCKET = "/run/crane/gateway.sock"
_used = ""


def use(path: str) -> None:
    """Ask this gateway from now on, whatever the environment says ("": what it says)."""
    global _used
    _used = path


def socket_path(environ: Mapping[str, str] = os.environ) -> str:
    """Return where this caller's gateway listens: ``$CRANE_SOCKET``, ``$CRANE_HOME``, the default home,
    ``/run/crane``."""
    if environ.get("CRANE_SOCKET"):
        return environ["CRANE_SOCKET"]
    if environ.get("CRANE_HOME"):
        return os.path.realpath(os.path.join(environ["CRANE_HOME"], "run", "gateway.sock"))
    state = environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    own = os.path.realpath(os.path.join(state, "crane", "run", "gateway.sock"))
    return own if os.path.exists(own) else SYSTEM_SOCKET


def call(verb: str, args: Mapping[str, object], path: str | None = None, patience_s: float | None = None) -> Any:
    """Ask ``verb`` and return its value. Raises what the gateway refused with, Unreachable when none answers.

    ``patience_s``: for a connection, and for an answer, in place of what the environment says.
    """
    more = {} if patience_s is None else {"patience_s": patience_s}
    return follow(verb, args, lambda _more: None, path, **more)


def follow(
    verb: str,
    args: Mapping[str, object],
    on_more: Callable[[Any], None],
    path: str | None = None,
    patience_s: float | None = None,
) -> Any:
    """As ``call``, for verbs that send news before their value: each goes to ``on_more``.

    Raises OutcomeUnknown where something was to be changed and no answer came (``CRANE_ANSWER_TIMEOUT`` seconds).
    A verb that may be silent for long is believed to be at work as long as its gateway answers others.
    """
    request = pack({"v": VERSION, "verb": verb, "args": args})
    where = path or _used or socket_path()
    answer_s = seconds("CRANE_ANSWER_TIMEOUT", _ANSWER_S, 0.1) if patience_s is None else patience_s
    connect_s = seconds("CRANE_CONNECT_TIMEOUT", _DEFAULT_PATIENCE_S) if patience_s is None else patience_s
    until = time.monotonic() + connect_s
    sent = False
    while True:
        try:
            sock = _connect(where, until)
            try:
                _check_listener(sock, where)
                sock.settimeout(answer_s)
                sock.sendall(request)
                sent = True
                if verb not in _STAYING:
                    return _answer(sock.recv, on_more, None)
                from crane_celery.gateway.waking import Waking

                with Waking() as waking:
                    return _answer(
                        waking.reader(sock, answer_s),
                        on_more,
                        lambda: _ask_whether_alive(where, answer_s),
                    )
            finally:
                sock.close()
        except TimeoutError as error:
            raise _unanswered(f"the gateway at {where} does not answer", verb, sent) from error
        except (EOFError, ConnectionError, BrokenPipeError) as error:
            if time.monotonic() >= until:
                raise _unanswered(f"the gateway at {where} went away: {error}", verb, sent) from error
            time.sleep(_TRY_AGAIN_S)
        except Unreachable as error:
            raise _unanswered(error.message, verb, sent) from error


def _check_listener(sock: socket.socket, where: str) -> None:
    """Raise Denied where neither root nor our own user listens: what is sent may be secret."""
    uid = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_PEERCRED, 12)[4:8], sys.byteorder)
    if uid and uid != os.geteuid():
        from crane_celery.trust import stranger

        if why := stranger(where, uid):
            raise Denied(why)


def _unanswered(why: str, verb: str, sent: bool) -> Unreachable:
    if sent and verb in CHANGING:
        return OutcomeUnknown(f"{UNKNOWN}: {why}")
    return Unreachable(why if "start one" in why or "try again" in why else f"{why}; try again")


def _ask_whether_alive(where: str, answer_s: float) -> None:
    """Raise Unreachable where the gateway does not answer: it stands still, and what is awaited from it, too."""
    try:
        call("ping", {}, where, answer_s)
    except Unreachable:
        raise
    except CraneError:  # refused: it is alive
        return


def _answer(recv: Callable[[int], bytes], on_more: Callable[[Any], None], silent: Callable[[], None] | None) -> Any:
    """Read frames up to the last one; ``silent`` is called when none has come for a while: it may raise."""
    for reply in _frames(recv, silent):
        if "more" in reply:
            on_more(reply["more"])
        else:
            return result(reply)
    raise EOFError("no answer")


def _frames(once: Callable[[int], bytes], silent: Callable[[], None] | None) -> Iterator[Any]:
    def recv(size: int) -> bytes:
        while True:
            try:
                return once(size)
            except TimeoutError:
                if silent is None:
                    raise
                silent()

    while (body := read_frame(recv)) is not None:
        reply = json.loads(body)
        if not isinstance(reply, dict):
            raise SystemFault("the gateway sent something that is no answer; is it the same version?")
        yield reply


def _connect(where: str, until: float) -> socket.socket:
    """A connection, tried until ``until`` (monotonic)."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(where)
            return sock
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
            sock.close()
            if time.monotonic() >= until:
                raise _nobody(where, error) from error
            time.sleep(_TRY_AGAIN_S)
        except OSError as error:
            sock.close()
            raise _nobody(where, error) from error


def _nobody(where: str, error: OSError) -> Unreachable:
    return Unreachable(
        f"no gateway answers at {where} ({error.strerror or error}): start one with `crane up`"
        " or `crane gateway`, or name another with CRANE_HOME or CRANE_SOCKET"
    )
