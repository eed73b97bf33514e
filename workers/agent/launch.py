"""From a verified launch message to what the shepherd starts. One template for a submission, a few words a run."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from crane_celery import faults
from crane_celery.errors import CraneError, Denied, NotFound, Unreachable
from crane_celery.grammar.filename import FilenameContext, expand_filename
from crane_celery.grammar.signals import parse_signals
from crane_celery.model.job import JobSpec
from crane_celery.settings.model import Hooks
from crane_celery.wire.launch import Kill, Launch, Message
from crane_celery.wire.node import LaunchRow
from workers.agent import environment
from workers.agent.environment import Place
from workers.agent.scripts import Bodies, SpoolFault, account_of, login
from workers.common.devices import files_of
from workers.common.task_prolog import with_prolog

#: processes and threads of a job at most: room for wide jobs, and an end to fork bombs
_PIDS, _PIDS_PER_CPU = 4096, 1024
_NO_HOOKS = Hooks()


class Batch(NamedTuple):
    """One ``launch`` frame, and what cannot be launched at all: (id, run, stage, why)."""

    frame: dict[str, Any]
    hopeless: list[tuple[int, int, str, str]]
    cancelled: list[Kill]
    #: what failed by the fault of the node, not of the job: (id, run, why)
    unable: Sequence[tuple[int, int, str]] = ()


def build(message: Message, bodies: Bodies, place: Place, grace_s: float, now: float) -> Batch:
    """Return what the shepherd is to start, and what cannot be started, each launch judged for itself.

    ``now`` is server time. Raises Unreachable when a body must be fetched and the server does not answer.
    """
    jobs: dict[str, dict[str, Any]] = {}
    rows, hopeless, unable = [], [], []
    for launch in message.launches:
        try:
            rows.append(_row(message, launch, jobs, bodies, place, grace_s, now))
        except Unreachable:
            raise
        except SpoolFault as error:
            unable.append((launch.id, launch.run, error.message))
        except CraneError as error:
            hopeless.append((launch.id, launch.run, "rpc" if isinstance(error, NotFound) else "spawn", error.message))
        except Exception as error:
            faults.record("a launch failed: job, run", (launch.id, launch.run))
            why = f"the node could not make sense of this launch ({type(error).__name__}: {error})"
            hopeless.append((launch.id, launch.run, "spawn", why))
    cancelled = [Kill(launch.id, launch.run, 0) for launch in message.launches if launch.cancelled]
    return Batch({"op": "launch", "jobs": jobs, "rows": rows}, hopeless, cancelled, unable)


def _row(
    message: Message, launch: Launch, jobs: dict[str, dict[str, Any]], bodies: Bodies, place: Place, grace_s: float,
    now: float,
) -> LaunchRow:  # fmt: skip
    """Return one run's row; its template is added to ``jobs`` where it is not there yet."""
    if launch.spec in message.unreadable:
        raise Denied(f"the node cannot read the job's specification ({message.unreadable[launch.spec]})")
    spec = message.jobs[launch.spec]
    key = f"{launch.spec}.{launch.cpus:g}.{launch.memory}.{launch.place}"
    if key not in jobs:
        jobs[key] = template(launch, spec, bodies, place, grace_s, time.monotonic() - now)
    try:
        item = bodies.get(launch.job, spec).item(launch.rank)
    except (OSError, IndexError) as error:
        why = f"the value of element {launch.rank} cannot be read ({error}): submit it again"
        raise Denied(why) from error
    devices = tuple(files_of(place.devices, place.gres, launch.gres)) if place.devices else ()
    environ = environment.of_run(launch, spec, place, now, item)
    return LaunchRow(launch.id, launch.run, key, environ, paths(launch, spec, place), devices)


def refused(message: Message, known: Callable[[tuple[int, int]], bool], why: str) -> Batch:
    """Nothing of it is started, for a fault of the node; ``known``: runs that are here already, which go on."""
    rows = [(run.id, run.run, "rpc", why) for run in message.launches if not known((run.id, run.run))]
    cancelled = [Kill(launch.id, launch.run, 0) for launch in message.launches if launch.cancelled]
    return Batch({"op": "launch", "jobs": {}, "rows": []}, rows, cancelled)


def template(
    launch: Launch, spec: JobSpec, bodies: Bodies, place: Place, grace_s: float, ahead_s: float
) -> dict[str, Any]:
    """Return what runs of one specification share. ``ahead_s``: monotonic time - server time."""
    body = bodies.get(launch.job, spec)
    account, groups = account_of(spec.uid, spec.gid)
    guest = launch.place > 0  # there is no script here, and so no time for it
    argv = with_prolog(place.hooks.task_prolog, body.argv)
    return {
        "uid": spec.uid,
        "gid": spec.gid,
        "groups": groups,
        "argv": login(argv, account["SHELL"], place.commands) if body.login else argv,
        "env": environment.of_job(spec, launch.job, body.env, place, account, launch.memory),
        "cwd": spec.cwd,
        "umask": body.umask,
        "append": spec.open_mode == "append",
        "cpus": launch.cpus,
        "memory": launch.memory,
        "pids": _PIDS + int(launch.cpus * _PIDS_PER_CPU),
        "limit": None if guest else spec.time_limit,
        "deadline": spec.deadline + ahead_s if spec.deadline and not guest else 0.0,
        "warn": [list(each) for each in parse_signals(spec.signal)] if spec.signal and not guest else [],
        "grace": grace_s,
        "hooks": _hooks(launch, spec, place) if place.hooks != _NO_HOOKS or launch.place >= 0 else {},
    }


def _hooks(launch: Launch, spec: JobSpec, place: Place) -> dict[str, Any]:
    hooks = place.hooks
    return {
        "prolog": hooks.prolog,
        "prolog_s": hooks.prolog_timeout_s,
        "epilog": hooks.epilog,
        "epilog_s": hooks.epilog_timeout_s,
        "task_prolog": hooks.task_prolog,
        "task_epilog": hooks.task_epilog,
        "env": environment.of_hooks(spec, launch.job, place),
        **({"place": launch.place} if launch.place >= 0 else {}),
    }


def paths(launch: Launch, spec: JobSpec, place: Place) -> tuple[str, str, str]:
    """Files of standard input, output and error ("" = joined), absolute."""
    index = launch.array_index
    context = FilenameContext(
        job=launch.id,
        array_job=None if index is None else launch.job,
        array_index=index,
        step=1,
        host=place.node,
        node_index=0,
        task=0,
        user=spec.user,
        name=spec.name,
        run=launch.run,
    )
    default = "Crane-%j.out" if index is None else "Crane-%A_%a.out"
    patterns = (spec.stdin or "/dev/null", spec.stdout or default, spec.stderr)
    stdin, stdout, stderr = (os.path.join(spec.cwd, expand_filename(p, context)) if p else "" for p in patterns)
    return stdin, stdout, stderr
