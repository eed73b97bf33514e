"""Telling nodes what is theirs: one signed Celery message per node and turn, with all its launches and kills.

A message is a hint; the lease in the store is the truth. What cannot be published is remembered by node, and all that
stands unanswered there is sent again at the next turn; the journal on the node makes a second delivery harmless.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError, OperationalError
from kombu.messaging import Producer

from crane_celery import faults
from crane_celery.errors import Unreachable
from crane_celery.sched.entry import Run
from crane_celery.sched.view import View
from crane_celery.wire import launch as wire
from crane_celery.wire.signing import Signer

log = logging.getLogger(__name__)

Kill = tuple[int, int, int, int]
Order = tuple[int, int, dict[str, float]]

#: launches in one message at most: bounds its size, some 150 bytes each
_MOST = 500


class Outbox(Protocol):
    """Sends messages to the nodes' queues."""

    def put(self, node: str, text: str, signature: str) -> None:
        """Queue a message for a node. Raises Unreachable."""

    def close(self) -> None:
        """Let go of connections. Idempotent."""


class CeleryOutbox:
    """Publishes to the node's Celery queue over one connection that is kept."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def put(self, node: str, text: str, signature: str) -> None:
        """Through the anonymous exchange, so that no bindings are read for each message. Raises Unreachable."""
        queue = wire.queue_of(node)
        message = self._app.amqp.as_task_v2(str(uuid.uuid4()), wire.TASK, args=(text, signature), ignore_result=True)
        try:
            self._open().publish(
                message.body,
                exchange="",
                routing_key=queue,
                serializer="json",
                headers=message.headers,
                retry=False,
                **message.properties,
            )
        except self._failures() as error:
            self.close()
            raise Unreachable(f"the broker does not take messages: {error}") from error

    def close(self) -> None:
        """Drop the connection; the next message opens another."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            connection.release()

    def _open(self) -> Producer:
        if self._producer is None:
            self._connection = self._app.connection_for_write()
            # kombu waits two seconds between tries by default; the leader has other things to do
            self._connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            self._producer = Producer(self._connection.channel(), auto_declare=False)
        return self._producer

    def _failures(self) -> tuple[type[BaseException], ...]:
        known: tuple[type[BaseException], ...] = (OSError, OperationalError, KombuError)
        if self._connection is None:
            return known
        return (*known, *self._connection.connection_errors, *self._connection.channel_errors)


class Dispatcher:
    """Builds, signs and sends."""

    def __init__(self, outbox: Outbox, signer: Signer, nonce: Callable[[], str], guests: bool = False) -> None:
        """``guests``: programs run around jobs, so new runs of several nodes have guests (store.api.Start)."""
        self.guests = guests
        self._outbox = outbox
        self._signer = signer
        self._nonce = nonce
        self._unsent: set[str] = set()

    @property
    def behind(self) -> bool:
        """Return whether messages wait to be sent again."""
        return bool(self._unsent)

    def send(
        self,
        view: View,
        fence: int,
        now: float,
        runs: Iterable[Run] = (),
        kills: Mapping[str, Sequence[Kill]] | None = None,
        resend: Iterable[str] = (),
        orders: Mapping[str, Sequence[Order]] | None = None,
    ) -> None:
        """Send these runs and kills to their nodes; ``resend``: all that stands unanswered there, and what failed.

        Never raises for an unreachable broker: the leases wait. Kills that are lost so reach the node by its heartbeat.
        """
        launches: dict[str, list[Run]] = {}
        again = self._unsent.union(resend)
        for node in again:
            launches[node] = [*view.starting.get(node, {}).values(), *self._awaited(view, node)]
        for run in runs:
            for node in [part.node for part in run.parts] if run.guests else [run.node]:
                if node not in again:
                    launches.setdefault(node, []).append(run)
        stops, wanted = kills or {}, orders or {}
        left = launches.keys() | stops.keys() | wanted.keys()
        try:
            for node in tuple(left):
                address = wire.Address(node, 0, fence, "", now + wire.LIFE_S)
                self._send(view, address, launches.get(node, []), stops.get(node, ()), wanted.get(node, ()))
                left.discard(node)
        except Unreachable as error:
            log.warning("%d messages wait: %s", len(left), error)
        self._unsent = left

    def _awaited(self, view: View, node: str) -> Iterator[Run]:
        """Runs that begin elsewhere and have a part here; a guest that is ready already knows them."""
        for runs in view.starting.values():
            for run in runs.values():
                if run.guests and run.node != node and any(part.node == node for part in run.parts):
                    yield run

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        self._outbox.close()

    def _send(
        self, view: View, to: wire.Address, runs: list[Run], kills: Sequence[Kill], orders: Sequence[Order]
    ) -> None:
        at = view.pool.number.get(to.node)
        if at is None or not (runs or kills or orders):
            return
        epoch = view.pool.nodes[at].epoch
        stops = [wire.Kill(*kill) for kill in kills]
        for first in range(0, len(runs) or 1, _MOST):
            some = runs[first : first + _MOST]
            last = first + _MOST >= len(runs)
            self._put(
                view,
                to._replace(epoch=epoch, nonce=self._nonce()),
                some,
                stops if last else [],
                list(orders) if last else [],
            )

    def _put(self, view: View, to: wire.Address, runs: list[Run], kills: list[wire.Kill], orders: list[Order]) -> None:
        specs: dict[str, str] = {}
        launches = []
        for run in runs:
            try:
                launches.append(_launch(view, run, specs, to.node))
            except Exception:
                faults.record("a launch could not be written and is passed over:", f"element {run.id}, run {run.run}")
        text = wire.build(to, specs, launches, kills, orders)
        self._outbox.put(to.node, text, self._signer.sign(text))


def _launch(view: View, run: Run, specs: dict[str, str], node: str) -> wire.Launch:
    """One run as the message to ``node`` has it; adds the specification in force to ``specs``."""
    entry = view.entries[run.job]
    key = str(run.job)
    part = entry.part_of(run.rank)
    if part.ranks is not None:
        key = f"{run.job}.{entry.parts.index(part)}"
    if key not in specs:
        text = entry.text.get(key)
        specs[key] = entry.text[key] = text or wire.spec_text(part.spec)
    nodes = tuple([held.node for held in run.parts])
    place = nodes.index(node) if run.guests else -1
    here = run.parts[max(place, 0)]
    return wire.Launch(
        run.job,
        run.rank,
        run.id,
        run.run,
        entry.index_of(run.rank),
        entry.job.count,
        here.cpus,
        here.memory,
        here.gres,
        nodes,
        run.cancelled,
        key,
        place,
        tuple([held.cpus for held in run.parts]) if any(held.cpus != here.cpus for held in run.parts) else (),
    )
