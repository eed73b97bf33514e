"""The node's agent, inside the Celery worker: launches in, reports out, a heartbeat between (design.md section 4).

Threads: Celery's own hands in messages; `shepherding` reads the shepherd; `uplink` reports; `heartbeat` keeps the node
alive, asks for what is missing, and passes kills on. The server may be away: steps run on, and all is told when it is
back.
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from crane_celery import faults
from crane_celery.errors import CraneError, Denied, StaleFence
from crane_celery.model.node import NodeState
from crane_celery.model.states import State
from crane_celery.settings import Settings
from crane_celery.settings.devices import fault_of
from crane_celery.store.api import Beat, Report, Store, Wanted
from crane_celery.store.clock import ServerClock
from crane_celery.supervisor import marks
from crane_celery.wire import node
from crane_celery.wire.launch import Kill
from crane_celery.wire.launch import Message as Launches
from crane_celery.wire.link import Message
from crane_celery.wire.node import NodeUnfit, RunEnded
from crane_celery.wire.signing import Inbox, Verifier
from workers.agent import launch
from workers.agent.environment import Place
from workers.agent.health import FAULT, OWN, Health
from workers.agent.outcome import of_node
from workers.agent.reporter import News, Uplink
from workers.agent.scripts import Bodies
from workers.agent.set_aside import Aside
from workers.agent.shepherd_client import Shepherding

log = logging.getLogger(__name__)

BEAT_S = 1.0
#: a lease that stands so long without a start is asked for again
STALE_S = 1.0
#: leases stand, were asked for again and again, and no message came: the consumer is deaf (reference/peers.md 5.5)
DEAF_S = 40.0
#: the same leases stand for so long: what the shepherd has is compared with what the store has
_COMPARE_S = 10.0
_SWEEP_BEATS = 60
#: pause before a turn that cannot wait: no shepherd yet, or written off
_SOON_S = 0.05
#: signals that are remembered as sent
_MANY = 10_000
_ON = frozenset((State.RUNNING, State.COMPLETING, State.SUSPENDED))
#: exit status of a deaf worker, for the supervisor to see (EX_TEMPFAIL)
_DEAF_STATUS = 75


class Agent:
    """One node's agent."""

    def __init__(
        self, settings: Settings, node: str, store: Store, place: Place, verifier: Verifier,
        clock: Callable[[], float] = time.monotonic, give_up: Callable[[int], object] = os._exit,
    ) -> None:  # fmt: skip
        """Nothing is started yet. ``clock``: monotonic seconds; ``give_up`` ends the process with an exit status."""
        self._clock, self._give_up = clock, give_up
        self._settings, self._node, self._store, self._place = settings, node, store, place
        self._inbox = Inbox(node, verifier)
        spool, run_dir = settings.spool(node), settings.node_run_dir(node)
        self._bodies = Bodies(store.body, spool)
        config = {
            "node": node, "cluster": settings.group_root, "run": run_dir, "spool": spool, "cgroup": settings.cgroup,
            "dynmods": settings.dynmods, "devices": bool(place.devices), "log": settings.log_dir,
            "mark": marks.prepare(settings.home, marks.SHEPHERD + node),
        }  # fmt: skip
        log_path = f"{settings.log_dir}/shepherd.{node}.log"
        os.makedirs(settings.log_dir, mode=0o700, exist_ok=True)
        self._shepherd = Shepherding(config, log_path, self._hear)
        self._time = ServerClock(store.now, clock)
        self._aside = Aside(settings.home, node, lambda: self._time.offset)
        self._uplink = Uplink(self._send, self._ack, lambda: self._time.offset, self._drain, self._aside.put)
        self._lock = threading.RLock()  # registration against launches
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._hello: Message = {}
        self._epoch = self._beats = 0
        self._register_again = True
        self._fault: str | None = None  # not known: an earlier worker may have found one
        self._health = Health(spool, place.devices, clock)
        self._consumed_at = clock()
        self._missing_since = self._compared_at = 0.0
        self._sent: set[Kill] = set()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the threads; the shepherd too, if there is none."""
        self._shepherd.start()
        self._uplink.start()
        self._thread.start()

    def stop(self) -> None:
        """Leave: the shepherd and all steps go on."""
        self._stop.set()
        self._thread.join(5)
        self._uplink.stop()
        self._shepherd.stop()

    # -- messages

    def deliver(self, text: str, signature: str) -> None:
        """Take one launch message; what it refuses is logged, and comes again if it should."""
        self._consumed_at = self._clock()
        if not self._ready.wait(10):
            return
        fault = fault_of(self._place.devices)
        with self._lock:
            try:
                message = self._inbox.accept(text, signature, self._epoch, self._time.now())
                batch = self._batch(message, fault)
            except Denied as error:
                log.warning("%s", error.message)
                return
            except CraneError as error:
                log.warning("launches put off: %s", error.message)
                return
            except Exception:
                faults.record("a launch message failed")
                return
            if message.kills or batch.cancelled:
                self._kill([*message.kills, *batch.cancelled])
            if batch.frame["rows"]:
                self._bodies.take({(launch.id, launch.run): launch.job for launch in message.launches})
                self._shepherd.send(batch.frame)
            self._order(message.orders)
        if batch.unable:
            self._unable([(id_, run) for id_, run, _ in batch.unable], batch.unable[0][2])
        if batch.hopeless:
            self._bodies.ended((id_, run) for id_, run, _, _ in batch.hopeless)
            now = self._clock()
            rows = [
                node.numbered(RunEnded(i, r, None, stage, 0.0, now, text=why)) for i, r, stage, why in batch.hopeless
            ]
            drain = [node.numbered(NodeUnfit(fault))] if fault else []  # first: what runs again must not come back here
            self._uplink.put(News(0, [*drain, *rows]))

    def _batch(self, message: Launches, fault: str) -> launch.Batch:
        if fault:
            return launch.refused(message, self._bodies.holds, fault)
        return launch.build(message, self._bodies, self._place, self._settings.kill_grace_s, self._time.now())

    def _order(self, orders: Sequence[tuple[int, int, Wanted]]) -> None:
        """Forward the desired state of runs; a deadline in the shepherd's own time."""
        rows = [[id_, run, self._ours(wanted)] for id_, run, wanted in orders]
        if rows:
            self._shepherd.send({"op": "orders", "rows": rows})

    def _ours(self, wanted: Wanted) -> Wanted:
        deadline = wanted.get("deadline", 0.0)
        return {**wanted, "deadline": deadline - self._time.offset} if deadline else wanted

    def _kill(self, kills: list[Kill]) -> None:
        """A stop may be told any number of times; another signal only once."""
        rows = [list(kill) for kill in kills if kill.signal == 0 or kill not in self._sent]
        self._sent.update(kill for kill in kills if kill.signal)
        if rows:
            self._shepherd.send({"op": "kill", "rows": rows})

    # -- the shepherd

    def _hear(self, generation: int, message: Message) -> None:
        match message["op"]:
            case "hello":
                self._bodies.recall((id_, run) for id_, run in message["runs"])
                self._hello = message
                self._register_again = True
                self._ready.clear()
            case "reports":
                ends = [each for each in node.readable(message["rows"]) if isinstance(each, RunEnded)]
                if why := next((w for end in ends if (w := of_node(end))), ""):
                    self._health.launch_failed(why)
                    # first: what runs again must not come back
                    self._uplink.put(News(0, [node.numbered(NodeUnfit(FAULT + why))]))
                self._bodies.ended((end.id, end.run) for end in ends)
                self._uplink.put(News(generation, message["rows"]))
            case "unable":
                self._unable([(id_, run) for id_, run in message["rows"]], message["why"])
            case "tested":
                self._health.tested(message["faults"])
            case "missing":
                self._lost([(i, r) for i, r in message["rows"]], {(i, r) for i, r in message.get("closed", ())})

    def _lost(self, runs: list[tuple[int, int]], closed: set[tuple[int, int]]) -> None:
        """Runs that the store takes for running here and that the shepherd has not. Those that it has closed are over,
        though the store (which lost what it knew) waits for their start: they would never be started again."""
        try:
            known = {(e.id, e.run): e for e in self._store.elements([id_ for id_, _ in runs])}
        except CraneError:
            self._register_again = True
            return
        now = self._clock()
        rows = [
            node.numbered(RunEnded(*key, None, "", known[key].began_at - self._time.offset, now))
            for key in runs
            if key in known and known[key].state in (_ON if key not in closed else _ON | {State.STARTING})
        ]
        if rows:
            self._uplink.put(News(0, rows))

    def _ack(self, generation: int, seq: int) -> None:
        self._shepherd.send({"op": "ack", "seq": seq}, generation)

    def _drain(self, reason: str) -> None:
        """Take no more jobs: a program around a job failed, or a device is missing. What an operator has said of the
        node stands."""
        known = self._store.node(self._node)
        if known is not None and known.state is NodeState.UP:
            log.error("no more jobs here: %s", reason)
            self._store.set_node(self._node, NodeState.DRAIN, reason)

    def _inspect(self) -> None:
        """Take no jobs while the node cannot start any (workers.agent.health), nor while a device file is missing: one
        that appears later would be open to all that run by then."""
        if self._health.due():
            self._shepherd.send({"op": "test"})
        fault = self._health.fault(self._skew())
        if fault:
            if fault != self._fault:
                log.error("this node cannot start jobs: %s", fault)
            self._drain(fault)
        elif self._fault is None or self._fault:
            known = self._store.node(self._node)
            if known is not None and known.state is NodeState.DRAIN and known.reason.startswith(OWN):
                log.info("the node is well again: jobs may come")
                self._store.set_node(self._node, NodeState.UP, "")
        self._fault = fault

    def _skew(self) -> float:
        """Seconds by which this host's clock is ahead of the server's."""
        return time.time() - self._time.now()

    def _unable(self, runs: list[tuple[int, int]], why: str) -> None:
        """Launches that failed by this node's fault: the node drains first, so that what runs again goes elsewhere."""
        self._health.launch_failed(why)
        now = self._clock()
        rows = [[0, "e", *key, None, "rpc", 0.0, now, 0.0, 0, 0, why] for key in runs]
        self._bodies.ended(runs)
        self._uplink.put(News(0, [[0, "d", FAULT + why], *rows]))

    def _send(self, report: Report) -> None:
        steps = [replace(step, node=self._node) for step in report.steps]
        if not self._epoch:
            raise StaleFence("not registered yet")
        try:
            self._store.report(self._node, self._epoch, report._replace(steps=steps))
        except StaleFence:
            self._register_again = True
            raise

    # -- the heartbeat

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self.turn())

    def turn(self) -> float:
        """One heartbeat, after a registration where one is due; the seconds until the next. Never raises."""
        try:
            if self._register_again and self._hello:
                self._register()
            if self._epoch:
                self._inspect()
                self._beat()
                self._tidy()
        except StaleFence:
            self._register_again = True
            return _SOON_S
        except CraneError as error:
            log.warning("no heartbeat: %s", error.message)
        except Exception:
            faults.record("a heartbeat failed")
        return BEAT_S if self._hello else _SOON_S

    def _tidy(self) -> None:
        """Scripts of jobs that are here no more; now and then also of those whose end went past us."""
        if not self._hello or not self._lock.acquire(blocking=False):
            return  # nobody has said what runs here, or launches are being made: a heartbeat does not wait for them
        try:
            self._bodies.tidy()
            self._beats += 1
            if self._beats % _SWEEP_BEATS == 0:
                self._bodies.sweep(self._alive)
                self._aside.retry(self._send)
        finally:
            self._lock.release()

    def _alive(self, jobs: list[int]) -> set[int]:
        return {job.id for job in self._store.jobs(jobs) if not job.ended_at}

    def _register(self) -> None:
        with self._lock:
            self._register_again = False
            try:
                self._join()
            except BaseException:
                self._register_again = True
                raise
        self._ready.set()

    def _join(self) -> None:
        spec = self._settings.nodes[self._node]
        host, driver = platform.node(), self._hello["driver"]
        answer = self._store.register(spec, host, driver, _version(), _boot())
        self._epoch = answer.epoch
        self._time.sync()
        self._shepherd.send({"op": "keep", "live": [list(key) for key in answer.live]})

    def _beat(self) -> None:
        before = self._clock()
        beat = self._store.heartbeat(self._node, self._epoch, STALE_S, os.getloadavg()[0])
        kills = [Kill(*row) for row in beat.kills]
        self._time.answered(beat.now, before)
        if len(self._sent) > _MANY:
            self._sent.intersection_update(kills)
        if kills:
            self._kill(kills)
        self._order(beat.orders)
        self._chase(beat)

    def _chase(self, beat: Beat) -> None:
        """Ask for leases that stand unanswered; end, to be started anew, when asking does not help."""
        now = self._clock()
        if not beat.unanswered:
            self._missing_since = 0.0
            return
        self._store.nudge(self._node)
        self._missing_since = self._missing_since or now
        if now - max(self._missing_since, self._compared_at) > _COMPARE_S:
            self._compared_at, self._register_again = now, True
        if now - max(self._missing_since, self._consumed_at) > DEAF_S:
            log.error("leases stand and no message came for %d s: this worker is deaf and ends", DEAF_S)
            self._give_up(_DEAF_STATUS)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("crane-celery")
    except PackageNotFoundError:
        return ""


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
