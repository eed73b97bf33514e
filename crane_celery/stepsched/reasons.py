"""Why a step waits, with the numbers that decide."""

from __future__ import annotations

import math

from crane_celery.grammar.memory import format_memory
from crane_celery.stepsched.fit import eligible, possible
from crane_celery.stepsched.need import MILLI, Need
from crane_celery.stepsched.order import Step
from crane_celery.stepsched.queue import Queue


def reason(queue: Queue, step: Step, now: float) -> str:
    """Return why a waiting step has not started, for people."""
    if not possible(step.need, queue.ground):
        return f"Never fits the job's present nodes: it asks for {asked(step.need)}; {held(queue, step.need)}"
    kept = queue.reservation
    if kept is not None and kept.number != step.number and not step.need.overlap:
        when = "" if kept.at == math.inf else f", expected in {max(0.0, kept.at - now):.0f} s"
        return f"Priority: step {kept.number} has a reservation of {len(kept.nodes)} node(s){when}"
    return f"Resources: it asks for {asked(step.need)}; {held(queue, step.need)}"


def asked(need: Need) -> str:
    """Return what a need asks for, as a phrase: ``4 tasks of 2 CPUs, 1G of memory and gpu:1 on each of 2 nodes``."""
    tasks = f"{need.tasks} task{'s' if need.tasks > 1 else ''} of {need.cpu / MILLI:g} CPUs"
    extras = [f"{format_memory(need.memory)} of memory"] if need.memory else []
    extras += [f"{name}:{count}" for name, count in need.gres]
    on = f" on {need.nodes} nodes" if need.nodes > 1 else ""
    return tasks + (f", {' and '.join(extras)} on a node" if extras else "") + on


def held(queue: Queue, need: Need) -> str:
    """Return what is free of what the job has, as a phrase, on the nodes that a need may use."""
    nodes = list(eligible(need, queue.ground, closed=True))
    free, total = (sum(getattr(node, name) for node in nodes) / MILLI for name in ("free_cpu", "cpu"))
    most = max((node.free_cpu for node in nodes), default=0) / MILLI
    text = f"{free:g} of {total:g} CPUs are free on {len(nodes)} node{'s' if len(nodes) != 1 else ''}"
    text += f", at most {most:g} on one" if len(nodes) > 1 else ""
    if need.memory:
        text += f", {format_memory(max((node.free_memory for node in nodes), default=0))} of memory"
    for name, _ in need.gres:
        kinds = [kind for node in nodes for kind, slots in node.slots.items() for _ in slots]
        text += f", {sum(name in (kind, kind.partition(':')[0]) for kind in kinds)} {name}"
    return text
