"""Records as plain JSON values and back: the form in events, in messages and in the store.

Fields that hold their default are left out, so records stay small and an older reader meets no surprise; unknown
fields are passed over, so that a newer writer does not break an older reader.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any, TypeVar

from crane_celery.model.job import Allocation, Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.states import State

Json = dict[str, Any]
T = TypeVar("T", JobSpec, Job, StepRow, NodeSpec, Node)


def _defaults(cls: type[T]) -> dict[str, Any]:
    """Names of the fields with their defaults (MISSING where there is none)."""
    return {f.name: f.default_factory() if f.default_factory is not MISSING else f.default for f in fields(cls)}


_SPEC, _JOB, _STEP = _defaults(JobSpec), _defaults(Job), _defaults(StepRow)
_NODE_SPEC, _NODE = _defaults(NodeSpec), _defaults(Node)
_TUPLES = ("nodelist", "exclude", "features")


def _plain(record: T, known: dict[str, Any]) -> Json:
    """Return what differs from the defaults."""
    pairs = ((name, getattr(record, name), default) for name, default in known.items())
    return {name: value for name, value, default in pairs if value != default}


def _made(cls: type[T], value: Json, known: dict[str, Any]) -> T:
    """The record again. TypeError when a field without default is missing."""
    kept = {name: held for name, held in value.items() if name in known}
    for name in _TUPLES:
        if name in kept:
            kept[name] = tuple(kept[name])
    return cls(**kept)


def spec_to_json(spec: JobSpec) -> Json:
    """A job's specification."""
    return _plain(spec, _SPEC)


def spec_from_json(value: Json) -> JobSpec:
    """Back from ``spec_to_json``."""
    return _made(JobSpec, value, _SPEC)


def job_to_json(job: Job) -> Json:
    """A submission."""
    return _plain(job, _JOB) | {"spec": spec_to_json(job.spec)}


def job_from_json(value: Json) -> Job:
    """Back from ``job_to_json``."""
    worst = value.get("worst_state")
    typed = {"spec": spec_from_json(value["spec"]), "worst_state": State(worst) if worst else None}
    return _made(Job, value | typed, _JOB)


def step_to_json(step: StepRow) -> Json:
    """A COMMON step."""
    return _plain(step, _STEP)


def step_from_json(value: Json) -> StepRow:
    """Back from ``step_to_json``."""
    return _made(StepRow, value | {"state": State(value["state"])}, _STEP)


def node_spec_to_json(spec: NodeSpec) -> Json:
    """A node as configured."""
    return _plain(spec, _NODE_SPEC)


def node_spec_from_json(value: Json) -> NodeSpec:
    """Back from ``node_spec_to_json``."""
    return _made(NodeSpec, value, _NODE_SPEC)


def node_to_json(node: Node) -> Json:
    """A node; its load, which no event tells of, is left out."""
    return _plain(replace(node, load=-1.0), _NODE) | {"spec": node_spec_to_json(node.spec), "state": str(node.state)}


def node_from_json(value: Json) -> Node:
    """Back from ``node_to_json``."""
    typed = {"spec": node_spec_from_json(value["spec"]), "state": NodeState(value["state"])}
    return _made(Node, value | typed, _NODE)


def allocation_to_json(parts: tuple[Allocation, ...]) -> list[list[Any]]:
    """Return what a run holds: ``[[node, cpus, memory, {gres: [slots]}], ...]``."""
    return [[a.node, a.cpus, a.memory, a.gres] for a in parts]


def allocation_from_json(value: list[list[Any]]) -> tuple[Allocation, ...]:
    """Back from ``allocation_to_json``."""
    return tuple(
        Allocation(node=node, cpus=cpus, memory=memory, gres={name: tuple(slots) for name, slots in gres.items()})
        for node, cpus, memory, gres in value
    )
