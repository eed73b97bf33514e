"""The wire to the server: connections, scripts, and the server's errors as ours. Verbs are in store.redis.

No command is ever sent twice behind the caller's back: whether to repeat is the caller's decision, who knows the
idempotency key. A connection that died while idle is replaced before it is used. A peer that no packet reaches any
more (a cut network, a half-open connection) is found out by the kernel within ``LOST_S``, also while a read of events
blocks; a server that is only slow has ``ANSWER_S``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from crane_celery import trust
from crane_celery.errors import (
    CraneError,
    DiskFull,
    LimitReached,
    NotFound,
    StaleFence,
    SystemFault,
    Unreachable,
    Untrusted,
)
from crane_celery.grammar.memory import format_size
from crane_celery.store.scripts import script

#: seconds without an answer after which a server counts as gone
ANSWER_S = 10.0
#: the longest that a reader of events may block in one call
LONGEST_WAIT_S = 60.0
#: seconds without an acknowledgement from the peer's kernel after which a connection is lost: three heartbeats
LOST_S = 3
#: how the kernel is told so: probes while idle, and an end to retransmission while something is under way (tcp(7))
TCP_OPTIONS = {
    socket.TCP_KEEPIDLE: 1,
    socket.TCP_KEEPINTVL: 1,
    socket.TCP_KEEPCNT: LOST_S,
    socket.TCP_USER_TIMEOUT: LOST_S * 1000,
}


class _Commands(Protocol):
    """The part of redis-py's client that is used; its own types leave it open."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its answer."""

    def close(self) -> None:
        """Close the connections."""

    def pipeline(self, transaction: bool) -> Any:
        """Commands that are sent together."""


class Link:
    """Connections to one server; safe to share between threads. Nothing is opened before the first call."""

    def __init__(self, url: str, prefix: str) -> None:
        """``url``: ``unix:///path/server.sock?db=0`` or ``redis://[:password@]host:port/db``."""
        self._url, self._prefix = url, prefix
        self._lock = threading.Lock()
        self._clients: dict[float, _Commands] = {}

    def _client(self, timeout: float) -> _Commands:
        """A client whose reads wait so long at most."""
        with self._lock:
            if timeout not in self._clients:
                client = redis.Redis.from_url(
                    self._url,
                    **_unix(self._url),
                    protocol=2,
                    socket_timeout=timeout,
                    retry=Retry(NoBackoff(), 0),
                    max_connections=256,
                    **tcp(self._url),
                )
                for command in ("XREAD", "XRANGE", "XREVRANGE"):
                    client.set_response_callback(command, _as_it_is)
                self._clients[timeout] = client
            return self._clients[timeout]

    def do(self, *command: Any) -> Any:
        """One command. Raises Unreachable, DiskFull."""
        with self._errors():
            return self._client(ANSWER_S).execute_command(*command)

    def do_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Several commands in one round trip; the answers, in order. Raises Unreachable, DiskFull."""
        if not commands:
            return []
        with self._errors(), self._client(ANSWER_S).pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(pipe.execute())

    def wait(self, seconds: float, *command: Any) -> Any:
        """One command that the server may hold back for so long."""
        with self._errors():
            return self._client(ANSWER_S + LONGEST_WAIT_S if seconds else ANSWER_S).execute_command(*command)

    def run(self, verb: str, *args: str | bytes | int | float) -> Any:
        """One verb's script; it is sent when the server does not have it (a restart empties its cache)."""
        source, sha = script(verb)
        with self._errors():
            client = self._client(ANSWER_S)
            try:
                return client.execute_command("EVALSHA", sha, 1, self._prefix, *args)
            except redis.exceptions.NoScriptError:
                return client.execute_command("EVAL", source, 1, self._prefix, *args)

    def run_all(self, verb: str, calls: Sequence[Sequence[str | bytes | int | float]]) -> list[Any]:
        """One verb's script many times over, each call atomic by itself, without waiting for one answer before the next
        is sent; the answers, in order. The first goes ahead alone, so that the server has the script."""
        if not calls:
            return []
        first = self.run(verb, *calls[0])
        with self._errors(), self._client(ANSWER_S).pipeline(transaction=False) as pipe:
            for args in calls[1:]:
                pipe.execute_command("EVALSHA", script(verb).sha, 1, self._prefix, *args)
            return [first, *pipe.execute()]

    def close(self) -> None:
        """Let go of all connections; a later call opens new ones."""
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the client library as ours."""
        try:
            yield
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise Unreachable(
                f"the server at {self.address} does not let us in: {error}; see ServerUrl in the configuration"
            ) from error
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            raise self._unanswered(error) from error
        except redis.exceptions.ResponseError as error:
            raise self._meaning(error) from error

    def _unanswered(self, error: Exception) -> Unreachable:
        found = Unreachable(f"no answer from the server at {self.address}: {error}; is it running?")
        found.sent = "connecting" not in str(error)  # the client's words where it came no further than that
        return found

    def _meaning(self, error: redis.exceptions.ResponseError) -> CraneError:
        text = str(error)
        word, _, rest = text.partition(" ")
        if isinstance(error, redis.exceptions.OutOfMemoryError) or word in ("MISCONF", "OOM"):
            return DiskFull(f"the server at {self.address} takes no more writes: {text}; free disk or memory there")
        if isinstance(error, redis.exceptions.ReadOnlyError):
            return Unreachable(f"the server at {self.address} is a read-only replica; name the primary")
        if word == "NOSCRIPT":
            return Unreachable(f"the server at {self.address} was restarted in between; try again")
        if word == "LIMIT":
            return _limit(*rest.split())
        if word == "BYTES":
            return _too_large(*rest.split())
        if word == "STALE":
            return StaleFence(rest)
        if word == "NOTFOUND":
            where = "cinfo" if rest.startswith("node ") else "cqueue and cacct"
            return NotFound(f"there is no {rest}; see {where} for what there is")
        return SystemFault(f"the server at {self.address} refused a command: {text}")

    @property
    def address(self) -> str:
        """Return where the server is, without its password."""
        parts = urlsplit(self._url)
        return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"


def _limit(where: str, most: str, held: str) -> LimitReached:
    return LimitReached(
        f"MaxSubmitJobs of this {where} is {most}: {held} of your submissions have not ended (an array counts once);"
        " wait for some to end, or cancel some"
    )


def _too_large(most: str, held: str, more: str) -> LimitReached:
    most, held, more = (format_size(int(each)) for each in (most, held, more))
    return LimitReached(
        f"MaxSubmitBytes is {most}: scripts, environments and options of your jobs take {held}, and {more} more are too"
        " much; jobs that ended count until they leave the server's window (Window)."
        " Submit arrays instead of many jobs, put data in files, or pass less of the environment (--export)"
    )


def tcp(url: str) -> dict[str, Any]:
    """Return what the client is told of a connection over TCP; nothing for a Unix socket, whose peer cannot get
    lost."""
    if urlsplit(url).scheme == "unix":
        return {}
    return {"socket_connect_timeout": LOST_S, "socket_keepalive": True, "socket_keepalive_options": TCP_OPTIONS}


def _unix(url: str) -> dict[str, Any]:
    """Return what the client is told of a connection over a Unix socket: to look who listens there."""
    return {"connection_class": _UnixConnection} if urlsplit(url).scheme == "unix" else {}


class _UnixConnection(redis.UnixDomainSocketConnection):
    """A connection to a server of somebody whom we may believe (trust.check_server)."""

    def _connect(self) -> socket.socket:
        connect: Any = super()._connect
        sock: socket.socket = connect()
        try:
            trust.check_server(sock, self.path)
        except Untrusted as error:
            sock.close()
            raise redis.exceptions.ConnectionError(f"while connecting: {error.message}") from error
        return sock


def _as_it_is(answer: Any, **_options: Any) -> Any:
    """Streams are taken apart by the store itself: redis-py would build a dict for every entry first."""
    return answer
