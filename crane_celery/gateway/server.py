"""The gateway: a Unix socket, a thread for each connection, the kernel's word for who is calling.

Bounded in every direction: connections altogether and for each user, bytes in a frame, seconds that a client may take
to send or to read (gateway.budgets). What a request asks is validated by the handlers before anything acts on it. Each
node has a gateway of its own, so that commands work inside jobs.
"""

import contextlib
import gc
import json
import logging
import os
import resource
import secrets
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from crane_celery import faults
from crane_celery.errors import (
    ConfigError,
    CraneError,
    InputError,
    LimitReached,
    OutcomeUnknown,
    SystemFault,
    Unreachable,
)
from crane_celery.gateway import protocol
from crane_celery.gateway.budgets import Budgets, Turn
from crane_celery.gateway.handlers import handle
from crane_celery.gateway.request import Request
from crane_celery.gateway.waiters import Waiters
from crane_celery.service.service import Service
from crane_celery.service.shared import caller as callers
from crane_celery.service.shared.caller import Caller
from crane_celery.settings import Settings, prepare_run_dir

log = logging.getLogger(__name__)

#: values in one request: each may cost some 100 bytes here
MAX_PARTS = 2_500_000
#: seconds that one read or write may stand still
STALL_S = 20.0
#: seconds that a kept connection may be silent between two requests
IDLE_S = 60.0
#: seconds that a request waits for a server that is away (its supervisor starts it again within 5)
SERVER_PATIENCE_S = 10.0
_RETRY_S = 0.1
#: seconds between two looks at the socket's file
RENEW_S = 5.0
_UCRED = struct.Struct("3i")
_SOCKET_PATH_MAX = 107


def peer(sock: socket.socket) -> Caller:
    """Return who is at the other end, from SO_PEERCRED."""
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Caller(uid, gid, pid)


class GatewayServer:
    """Serves one service on one socket."""

    def __init__(self, service: Service, socket_path: str) -> None:
        """Nothing is bound yet."""
        self._service = service
        self._path = socket_path
        self._waiters = Waiters(service.store)
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._bound: tuple[int, int] | None = None
        self._said = ""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        settings = service.settings
        self._budgets = Budgets(
            lambda uid: uid in (0, os.geteuid()) or callers.is_operator(Caller(uid, uid, 0), settings.operators)
        )

    def start(self) -> None:
        """Bind and serve in a thread. Raises ConfigError for a path too long, SystemFault where one serves already."""
        self._serve_on(bind(self._path))
        self._service.query.queue.live.follow(True)

    def _serve_on(self, listener: socket.socket) -> None:
        self._listener, self._bound = listener, _identity(self._path)
        self._thread = threading.Thread(target=self._accept, args=(listener,), name="gateway", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Bind anew where our socket is gone, as a cleaner of /tmp may do; connections that are open stay so."""
        old, thread = self._listener, self._thread
        if old is None or _identity(self._path) == self._bound:
            return
        try:
            prepare_run_dir(self._service.settings.home, self._service.settings.run_dir)
            self._serve_on(bind(self._path))
        except (CraneError, OSError) as error:
            if str(error) != self._said:
                self._said = str(error)
                log.error("the socket %s is gone and cannot be made again: %s", self._path, error)
            return
        log.warning("the socket %s was gone: made again", self._path)
        _end(old, thread)

    def stop(self) -> None:
        """Close the socket and every connection; returns when no new request can begin. Idempotent."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        _end(listener, self._thread)
        self._service.query.queue.live.follow(False)
        self._waiters.stop()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                sock, _ = listener.accept()
            except OSError as error:
                if self._listener is not listener:
                    return
                log.warning("cannot accept a connection: %s", error)
                select.select([], [], [], 0.1)  # out of descriptors: let some close
                continue
            self._admit(sock)

    def _admit(self, sock: socket.socket) -> None:
        """Give the connection a thread, or say why not."""
        sock.settimeout(STALL_S)
        caller = peer(sock)
        if self._enter(sock, caller.uid):
            threading.Thread(target=self._serve, args=(sock, caller), name="gateway-request", daemon=True).start()
            return
        with contextlib.suppress(OSError), sock:
            busy = LimitReached("the gateway has as many connections open as it takes: try again shortly")
            sock.sendall(protocol.pack(protocol.refusal(busy)))

    def _enter(self, sock: socket.socket, uid: int) -> bool:
        if not self._budgets.enter(uid):
            return False
        with self._lock:
            self._open.add(sock)
        return True

    def _leave(self, sock: socket.socket, uid: int) -> None:
        with self._lock:
            self._open.discard(sock)
        self._budgets.leave(uid)

    def _serve(self, sock: socket.socket, caller: Caller) -> None:
        """Answer requests of one connection until it ends."""
        try:
            while self._one(sock, caller):
                sock.settimeout(IDLE_S)
        except (OSError, EOFError) as error:
            log.debug("connection of uid %d ended: %s", caller.uid, error)
        finally:
            self._leave(sock, caller.uid)
            sock.close()

    def _one(self, sock: socket.socket, caller: Caller) -> bool:
        """One request and its answer; False at the end of the connection."""
        try:
            size = protocol.read_length(sock.recv)
            if size is None:
                return False
            reply = self._answer(sock, caller, size)
        except (InputError, LimitReached) as error:
            sock.sendall(protocol.pack(protocol.refusal(error)))
            return False  # what follows on the stream cannot be made sense of
        sock.settimeout(STALL_S)
        sock.sendall(reply)
        return True

    def _answer(self, sock: socket.socket, caller: Caller, size: int) -> bytes:
        """Read a request and work on it, in its user's turn."""
        with self._budgets.working(caller.uid, size) as turn:
            body = protocol.read_body(sock.recv, size)
            turn.begin()
            return self._reply(sock, caller, body, turn)

    def _reply(self, sock: socket.socket, caller: Caller, body: bytes, turn: Turn) -> bytes:
        """The last frame for a request, whatever happens."""
        try:
            callers.admit(caller, self._service.settings.single_user_uid)
            request = parse_request(body, caller, sock, self._waiters, turn)
            return protocol.pack(protocol.answer(patiently(handle, self._service, request)))
        except CraneError as error:
            return protocol.pack(protocol.refusal(error))
        except (OSError, EOFError):
            raise
        except RecursionError:
            log.warning("a request of uid %d is nested too deeply", caller.uid, exc_info=True)
            return protocol.pack(protocol.refusal(InputError("the request is nested too deeply")))
        except Exception:
            faults.record("a request failed: uid", caller.uid)
            return protocol.pack(protocol.refusal(SystemFault("the gateway failed inside; its log says more")))


def patiently(call: Callable[[Service, Request], object], service: Service, request: Request) -> object:
    """Handle a request, again while the server is away, for ``SERVER_PATIENCE_S`` at most: it is being restarted.

    Every verb of the store may be repeated (store.api); submissions carry a key.
    Raises what ``call`` raises; OutcomeUnknown where the server may carry out what it was sent.
    """
    if request.verb == "submit":
        request.args.setdefault("key", secrets.token_hex(16))
    deadline = time.monotonic() + SERVER_PATIENCE_S
    sent = False
    while True:
        try:
            return call(service, request)
        except Unreachable as error:
            sent = sent or error.sent
            if time.monotonic() > deadline:
                if sent and request.verb in protocol.CHANGING:
                    raise OutcomeUnknown(
                        f"it is not known whether this was done, or will be: {error.message}"
                    ) from error
                raise
            with request.turn.idle():
                time.sleep(_RETRY_S)


def parse_request(body: bytes, caller: Caller, sock: socket.socket, waiters: Waiters, turn: Turn) -> Request:
    """The outermost shape of a request. Raises InputError."""
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MAX_PARTS:
        raise InputError(f"the request has more than {MAX_PARTS} parts: send less at once")
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is not JSON: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("verb"), str) or not isinstance(value.get("args"), dict):
        raise InputError("a request is an object with v, verb and args")
    if value.get("v") != protocol.VERSION:
        raise InputError(f"protocol version {value.get('v')!r}: this gateway speaks {protocol.VERSION}; upgrade")
    return Request(value["verb"], value["args"], caller, sock, waiters, turn)


def bind(path: str) -> socket.socket:
    """A listening socket at ``path`` that everybody may connect to; a dead one's leftover is replaced."""
    if len(os.fsencode(path)) > _SOCKET_PATH_MAX:
        raise ConfigError(f"socket path {path} is longer than {_SOCKET_PATH_MAX} bytes: choose a shorter run directory")
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    if os.path.exists(path) and _alive(path):
        raise SystemFault(f"another gateway already serves {path}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SystemFault(f"cannot serve {path}: {error.strerror}") from error
    return listener


def _identity(path: str) -> tuple[int, int] | None:
    """Which file this is, None when there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _end(listener: socket.socket, thread: threading.Thread | None) -> None:
    """Accept no more there."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    if thread:
        thread.join()
    listener.close()


def _alive(path: str) -> bool:
    """Return whether somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def serve(settings: Settings, node: str = "") -> None:
    """Run a gateway in the foreground until SIGTERM or SIGINT: this host's, or the one for jobs of a node."""
    from crane_celery.bootstrap import open_service

    gc.set_threshold(
        50_000, 20, 50
    )  # records of a long queue live long: looking through all of them is rarely worth it
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = settings.node_run_dir(node) if node else settings.run_dir
    faults.keep_in(settings.log_dir, f"gateway.{node}" if node else "gateway")
    server = GatewayServer(open_service(settings), os.path.join(os.path.realpath(folder), "gateway.sock"))
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    server.start()
    log.info("serving %s", folder)
    while not done.wait(RENEW_S):
        server.renew()
    server.stop()
