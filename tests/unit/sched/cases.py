"""Records for tests of the scheduler: short to write, whole to use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crane_celery.model.asjson import allocation_to_json, job_to_json, node_to_json
from crane_celery.model.event import Event
from crane_celery.model.job import Allocation, Job, JobSpec
from crane_celery.model.node import Node, NodeSpec, NodeState, Partition
from crane_celery.sched.cycle import schedule
from crane_celery.sched.plan import Config, Plan
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View

GIB = 1 << 30


def node(name: str, cpus: float = 4, memory: int = 8 * GIB, state: NodeState = NodeState.UP, **gres: int) -> Node:
    slots = {key.replace("_", ":"): count for key, count in gres.items()}
    return Node(spec=NodeSpec(name=name, cpus=cpus, memory=memory, gres=slots), state=state, epoch=1)


def spec(**more: Any) -> JobSpec:
    fields = {"name": "j", "uid": 1, "gid": 1, "user": "ann", "memory": GIB, "partition": "main"} | more
    return JobSpec(**fields)


def job(id: int, count: int = 1, held: str = "", ready: float = 0.0, dep: str = "", **more: Any) -> Job:
    if count > 1:
        more.setdefault("array", f"0-{count - 1}")
    asked = spec(**more)
    pending = f"0-{count - 1}" if count > 1 else "0"
    return Job(
        id=id,
        spec=asked,
        count=count,
        submitted_at=1.0,
        pending=pending,
        held=held,
        ready=ready,
        dep=dep,
        priority=float(asked.priority),
    )


def view(jobs: Sequence[Job] = (), nodes: Sequence[Node] | None = None, **partitions: Partition) -> View:
    some = [node("n1"), node("n2")] if nodes is None else nodes
    main = Partition(name="main", nodes=tuple(n.spec.name for n in some))
    return view_of(partitions or {"main": main}, 100.0, jobs, (), some)


def plan(seen: View, now: float = 100.0, max_starts: int = 512) -> Plan:
    seen.advance(now)
    return schedule(seen, now, Config(max_starts=max_starts))


def hold_starts(seen: View, made: Plan) -> None:
    """Have the view hold what a plan starts."""
    seen.started(made.starts)


def ids(made: Plan) -> list[int]:
    return [start.job + start.rank for start in made.starts]


def where(made: Plan) -> dict[int, list[str]]:
    return {start.job + start.rank: [part.node for part in start.allocation] for start in made.starts}


_SEQ = iter(range(1, 1 << 60))


def event(kind: str, **data: Any) -> Event:
    return Event(f"{next(_SEQ)}-0", 100.0, kind, data)


def submit(made: Job) -> Event:
    return event("submit", job=job_to_json(made))


def node_event(made: Node) -> Event:
    return event("node", node=node_to_json(made))


def start_event(id: int, of: int, parts: tuple[Allocation, ...], run: int = 1) -> Event:
    return event("start", fence=1, rows=[[id, of, id - of, run, allocation_to_json(parts)]])


def begin_event(id: int, of: int, run: int = 1) -> Event:
    return event("begin", node="n1", rows=[[id, of, run, 100.0]])


def end_event(id: int, of: int, run: int = 1, done: bool = False) -> Event:
    row = [id, of, id - of, run, "Completed", 0, 1.0, 2.0, "", 0.0, 0, done]
    return event("end", node="n1", rows=[row])
