"""The launch message: how the leader tells a node what is its, so that no one else can (docs/architecture.md).

Text is JSON, signed exactly as sent with Ed25519; the private key is with the schedulers only, so no node can forge
for another (design.md section 8). A node refuses what is unsigned, expired, replayed, or meant for another node or
epoch. One signature covers all launches of a node in a cycle: signing costs about 0.05 ms, a launch about 3 us.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from crane_celery import faults
from crane_celery.errors import Denied
from crane_celery.model.asjson import spec_from_json, spec_to_json
from crane_celery.model.checks import Check, check_spec, flag, list_of, map_of, none_or, real, size, text, whole
from crane_celery.model.job import JobSpec

_SLOTS = map_of(list_of(size))
#: the fields of rows, in order (Launch, Kill, and what is asked of a run)
_LAUNCH: tuple[Check, ...] = (
    *(whole, whole, whole, whole, none_or(whole), whole, real, whole, _SLOTS, list_of(text)),
    *(flag, text, whole, list_of(real)),
)
_KILL: tuple[Check, ...] = (whole, whole, whole, whole)
_ORDER: tuple[Check, ...] = (whole, whole, map_of(real))
#: name of the Celery task that carries a message: ``crane.launch(text, signature)``
TASK = "crane.launch"
#: seconds for which a message is good; what is older is nudged and signed again
LIFE_S = 120.0

_dumps = json.JSONEncoder(separators=(",", ":")).encode


class Launch(NamedTuple):
    """One run to start, on the first of its nodes; with programs around it each of its nodes gets one. ``cpus``,
    ``memory`` and ``gres`` are what it holds there."""

    job: int
    rank: int
    id: int
    run: int
    array_index: int | None  # None for a plain job
    array_count: int  # elements of the submission
    cpus: float
    memory: int  # bytes
    gres: Mapping[str, tuple[int, ...]]  # "name:type" -> slot numbers
    nodes: tuple[str, ...]  # all of them, that of the script first
    cancelled: bool = False  # a cancel came first: it must end without having run
    spec: str = ""  # which of the message's specifications is in force for it; "" = that of its job
    #: this node's place among them where the others have a part in the run, too (0: its script waits until they are
    #: ready; above: it has no script); -1 = they have none
    place: int = -1
    #: CPUs on each of ``nodes``, where they are not the same everywhere; () = as here
    cpus_each: tuple[float, ...] = ()


class Kill(NamedTuple):
    """One run (its PRIMARY step), or one COMMON step of it, to stop; signal 0 = TERM, grace, KILL."""

    id: int
    run: int
    signal: int
    step: int = 1


class Message(NamedTuple):
    """Record of what one text says."""

    node: str
    epoch: int
    fence: int
    nonce: str
    until: float  # server time after which it is void
    jobs: dict[str, JobSpec]  # by Launch.spec
    launches: list[Launch]
    kills: list[Kill]
    #: (id, run, all that is wanted of it) as store.api.Wanted
    orders: list[tuple[int, int, dict[str, float]]]
    #: specifications that cannot be read, each with the reason: their launches end, the others go on
    unreadable: Mapping[str, str] = MappingProxyType({})


class Address(NamedTuple):
    """Whom a message is for, and when: everything but its contents."""

    node: str
    epoch: int
    fence: int
    nonce: str
    until: float


def queue_of(node: str) -> str:
    """The Celery queue of a node."""
    return f"node.{node}"


def spec_text(spec: JobSpec) -> str:
    """A specification as it stands in messages: worth keeping, since every launch of its job needs it."""
    return _dumps(spec_to_json(spec))


def build(
    to: Address,
    specs: Mapping[str, str],
    launches: Iterable[Launch],
    kills: Iterable[Kill],
    orders: Iterable[tuple[int, int, Mapping[str, float]]] = (),
) -> str:
    """The text of a message. ``specs``: ``Launch.spec`` -> ``spec_text`` of all that ``launches`` speak of."""
    head = _dumps(to._asdict())[:-1]
    jobs = ",".join([f'"{job}":{text}' for job, text in specs.items()])
    return (
        f'{head},"jobs":{{{jobs}}},"launches":{_dumps(list(map(_row, launches)))},"kills":{_dumps(list(kills))},'
        f'"orders":{_dumps(list(orders))}}}'
    )


def read(message: str) -> Message:
    """Return what a verified message says. Raises Denied when it is no launch message."""
    try:
        return _read(json.loads(message))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Denied(f"launch message refused: it cannot be read ({error})") from error


def _read(value: dict[str, Any]) -> Message:
    jobs, unreadable = _specs(value["jobs"])
    return Message(
        node=value["node"],
        epoch=value["epoch"],
        fence=value["fence"],
        nonce=value["nonce"],
        until=value["until"],
        jobs=jobs,
        launches=[_launch(row) for row in _passing("launch", value["launches"], _LAUNCH, 10)],
        kills=[Kill(*row) for row in _passing("stop", value["kills"], _KILL, 3)],
        orders=[(id_, run, wanted) for id_, run, wanted in _passing("order", value["orders"], _ORDER, 3)],
        unreadable=unreadable,
    )


def _passing(what: str, rows: list[Any], checks: Sequence[Check], least: int) -> Iterator[list[Any]]:
    """Yield the rows whose fields, ``least`` of them at the least, are of their types; the others are recorded."""
    for row in rows:
        whole_row = isinstance(row, list) and least <= len(row) <= len(checks)
        if whole_row and all(check(field) for check, field in zip(checks, row, strict=False)):
            yield row
            continue
        try:
            raise Denied(f"a {what} of a launch message is passed over: it cannot be {ascii(row)[:200]}")
        except Denied:
            faults.record(f"a {what} of a launch message was passed over")


def _specs(values: dict[str, Any]) -> tuple[dict[str, JobSpec], dict[str, str]]:
    """Return the specifications, and the reasons of those that cannot be read."""
    specs: dict[str, JobSpec] = {}
    unreadable: dict[str, str] = {}
    for key, value in values.items():
        try:
            check_spec(value)
            specs[key] = spec_from_json(value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            unreadable[key] = f"{type(error).__name__}: {error}"
    return specs, unreadable


def _row(launch: Launch) -> tuple[Any, ...]:
    """A launch as it stands in messages: an older node knows no ``cpus_each``, and few launches need it."""
    return launch if launch.cpus_each else launch[:-1]


def _launch(row: list[Any]) -> Launch:
    launch = Launch(*row)
    gres = {name: tuple(slots) for name, slots in launch.gres.items()}
    return launch._replace(
        gres=gres, nodes=tuple(launch.nodes), spec=launch.spec or str(launch.job), cpus_each=tuple(launch.cpus_each)
    )
