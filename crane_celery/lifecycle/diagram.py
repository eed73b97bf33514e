"""The tables of this package as a page with diagrams: ``make docs`` writes docs/states.md."""

from __future__ import annotations

from collections.abc import Iterator

from crane_celery.lifecycle.machine import AGAIN, NODES, RUNS
from crane_celery.lifecycle.requeue import follows
from crane_celery.model.job import Element, JobSpec
from crane_celery.model.states import CODE_MEANING, ENDED, NODE_DOWN, Reason, State, show_code

_ENDS = (
    (State.COMPLETED, 0),
    (State.FAILED, 1),
    (State.FAILED, NODE_DOWN),
    (State.TIMEOUT, 325),
    (State.OOM, 265),
    (State.CANCELLED, 320),
    (State.DEADLINE, 330),
)
_MEANS = {"": "ends", "requeue": "pending again", "hold": "pending again, held"}


def page() -> str:
    """The page, in Markdown."""
    return (
        "\n\n".join(
            [
                "# States",
                "Made from the tables in `crane_celery/lifecycle` and `crane_celery/model/states.py` by `make docs`:"
                " do not edit.",
                "## Elements and their runs",
                "A job or an array element has one run after another; a run that ended is over for good. What is"
                " pending again has the next run number (`CRANE_RESTART_COUNT` counts from its first requeue).",
                _diagram(_runs()),
                "Completing is a run of several nodes with programs around jobs (prolog, epilog) whose script has ended"
                " while other nodes of it are still cleaning up; what it holds is free when all of them have reported.",
                "## What follows the end of a run",
                _requeues(),
                "Interactive jobs are never run again. A cancel wins over everything. What ran `MaxRequeueCount` times"
                f" more than once is held instead ({Reason.REQUEUE_LIMIT}).",
                "## Nodes",
                _diagram(_nodes()),
                "A drain and a down by an operator outlast what the node itself says.",
                "## Stored exit codes",
                _codes(),
            ]
        )
        + "\n"
    )


def _diagram(edges: Iterator[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {edge}" for edge in edges), "```"])


def _runs() -> Iterator[str]:
    yield f"[*] --> {State.PENDING}"
    for table in (RUNS, AGAIN):
        for old, causes in table.items():
            for cause, states in causes.items():
                every = states == ENDED
                yield from (
                    [f"{old} --> Ended: {cause}"] if every else (f"{old} --> {new}: {cause}" for new in sorted(states))
                )
    yield f"state Ended {{\n        {chr(10).join(f'        {state}' for state in sorted(ENDED)).strip()}\n    }}"


def _nodes() -> Iterator[str]:
    for old, causes in NODES.items():
        for new in sorted(set(causes.values())):
            if new != old:
                yield f"{old} --> {new}: {', '.join(cause for cause, state in causes.items() if state == new)}"


def _requeues() -> str:
    """The table of lifecycle.requeue, as it decides."""
    columns = ("never", "node", "failure")
    rows = ["| end | --no-requeue | by default | --requeue | ccontrol requeue |", "|---|---|---|---|---|"]
    for state, code in _ENDS:
        found = [_next(policy, state, code, "") for policy in columns] + [_next("node", state, code, "requeue")]
        rows.append(f"| {state}, code {code} | {' | '.join(found)} |")
    return "\n".join(rows)


def _next(policy: str, state: State, code: int, then: str) -> str:
    spec = JobSpec(name="", uid=0, gid=0, user="", requeue=policy)
    run = Element(id=1, job=1, rank=0, run=1, state=State.RUNNING, allocation=(), leased_at=0.0, then=then)
    return _MEANS[follows(spec, run, state, code)]


def _codes() -> str:
    rows = ["| code | shown as | meaning |", "|---|---|---|", "| 0-255 | n:0 | the process's own |"]
    rows.append("| 256 + s | 0:s | killed by signal s |")
    return "\n".join([*rows, *(f"| {code} | {show_code(code)} | {text} |" for code, text in CODE_MEANING.items())])
