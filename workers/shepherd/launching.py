"""From a launch frame of the agent to runs: each is accepted once, journalled, and handed to its user's spawner."""

import time
from typing import Any

from crane_celery import faults
from crane_celery.wire.node import LaunchRow, RunBegan
from workers.cgroup import PRIMARY, SPAWN_KEY, CgroupError, Limits
from workers.common.devices import numbers
from workers.shepherd import decode
from workers.shepherd.journal import Key
from workers.shepherd.records import Ending, Run, Step, leaf_name, parse_key, task_key
from workers.shepherd.runs import Herd
from workers.shepherd.spawners import Start


class Launching:
    """Accepts runs of this node."""

    def __init__(self, herd: Herd) -> None:
        """Runs are added to the herd's."""
        self._herd = herd
        self._ledger = herd.ledger

    def launch(self, jobs: dict[str, dict[str, Any]], rows: list[list[Any]]) -> None:
        """Start what is not known yet: journal first, all at once, then hand to the spawners.

        Raises OSError when the journal takes no more: then nothing was accepted.
        """
        mark = self._ledger.mark()
        batches: dict[tuple[int, int], list[Start]] = {}
        taken: list[Run] = []
        held: list[tuple[Run, Start]] = []
        checked: set[str] = set()
        for row in rows:
            key = self._new(row)
            if key is None:
                continue
            try:
                decode.check_row(row)
                launch = LaunchRow(*row)
                if launch.template not in checked:
                    decode.check_template(jobs.get(launch.template))
                    checked.add(launch.template)
                made = self._take(launch, jobs[launch.template])
            except Exception as exc:
                self._refuse(key, exc)
                continue
            if made is not None:
                run, start = made
                taken.append(run)
                if run.stage:
                    held.append((run, start))
                else:
                    batches.setdefault((run.uid, run.gid), []).append(start)
        try:
            self._ledger.commit()
        except OSError:
            self._ledger.rollback(mark)
            for run in taken:
                self._ledger.runs.pop(run.key, None)
                self._herd.pens.put(run.pen)
            raise
        self._dispatch(batches, held)

    def _dispatch(self, batches: dict[tuple[int, int], list[Start]], held: list[tuple[Run, Start]]) -> None:
        """Hand what was accepted to the spawners, or to the programs before it; what fails costs that user's only."""
        for user, starts in batches.items():
            try:
                self._herd.send(user, self._ledger.runs[parse_key(starts[0].key)[0]].groups, starts)
            except Exception:
                faults.record("starts could not be handed on: uid", user[0])
        for run, start in held:
            try:
                self._herd.on_hold(run, start)
            except Exception:
                faults.record("a prolog could not be started: job, run", run.key)

    def _new(self, row: object) -> Key | None:
        """Return the run of a row; None where it is known already, has ended, or where the row names none."""
        try:
            key = decode.run_key(row)
        except decode.Malformed:
            faults.record("a launch names no run:", row)
            return None
        return None if self._known(key) else key

    def _refuse(self, key: Key, exc: Exception) -> None:
        """End one run whose launch makes no sense; the others go on."""
        if not isinstance(exc, decode.Malformed):
            faults.record("a launch failed: job, run", key)
        run = self._ledger.runs.get(key)
        if run is not None:
            self._herd.pens.put(run.pen)
        text = f"the node could not make sense of this launch ({type(exc).__name__}: {exc})"
        self._herd.tell_end(key, Ending(None, "spawn", 0.0, time.monotonic(), 0.0, 0, 0, text))

    def _take(self, launch: LaunchRow, job: dict[str, Any]) -> tuple[Run, Start] | None:
        """Accept one run that is not known; None where it cannot be, and has ended."""
        run = self._accept(launch, job)
        return (run, self._first(run, launch, job)) if run is not None else None

    def _known(self, key: Key) -> bool:
        run = self._ledger.runs.get(key)
        if run is not None:
            if run.primary.began:  # whoever asks again has not heard: tell again
                self._ledger.report(RunBegan(*key, run.primary.began), durable=False)
            return True
        if key in self._ledger.tombs:
            del self._ledger.tombs[key]
            now = time.monotonic()
            self._herd.tell_end(key, Ending(None, "cancel", 0.0, now, 0.0, 0))
            return True
        return key in self._ledger.closed

    def _accept(self, launch: LaunchRow, job: dict[str, Any]) -> Run | None:
        id_, run_, files = launch.id, launch.run, launch.devices
        _, out, err = launch.paths
        limits = Limits(job["cpus"], job["memory"] or None, job["pids"] or None)
        try:
            group = self._herd.pens.take(limits._replace(devices=numbers(files)) if files else limits)
        except (CgroupError, OSError) as exc:
            self._herd.tell_end((id_, run_), Ending(None, "cgroup", 0.0, time.monotonic(), 0.0, 0, 0, str(exc)))
            return None
        run = Run(
            id=id_, run=run_, uid=job["uid"], gid=job["gid"], groups=job["groups"], cpus=job["cpus"],
            memory=job["memory"], grace=job["grace"], limit=job["limit"] or 0.0, pen=group.name,
            deadline=job.get("deadline", 0.0), warn=job.get("warn", []), output=err or out,
            deaths_before=group.leaf(PRIMARY).deaths_before(),
        )  # fmt: skip
        run.native = True
        run.steps[PRIMARY] = Step(number=PRIMARY, flying=1)
        if hooks := job.get("hooks"):
            run.hooks = {**hooks, "env": {**hooks["env"], **launch.environ}}
            run.stage = "prolog" if hooks["prolog"] or "place" in hooks else ""
        self._ledger.accept(run)
        if run.stage:
            self._ledger.stage(run)
        return run

    def _first(self, run: Run, launch: LaunchRow, template: dict[str, Any]) -> Start:
        leaf = self._herd.leaf(run, PRIMARY)
        own, paths = {**launch.environ, SPAWN_KEY: leaf.key}, launch.paths
        key, name = task_key(run, PRIMARY, 0), leaf_name(run, PRIMARY)
        return Start(key, launch.template, template, own, paths, leaf, name)
