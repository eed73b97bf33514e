"""Runs in memory. See store.api.runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.machine import Cause, NodeCause, may, node_step
from crane_celery.lifecycle.replay import cause_of
from crane_celery.model.asjson import allocation_to_json, node_to_json, step_to_json
from crane_celery.model.node import NodeState
from crane_celery.model.overrides import spec_of
from crane_celery.store.api import NOBODY, Began, Moved, Report, Start, Wanted
from crane_celery.store.memory.part import Part


class MemoryRuns(Part):
    """store.api.RunStore."""

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit starts. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            answers: list[str] = []
            rows: list[list[object]] = []
            taken: set[int] = set()
            for start in starts:
                id_ = start.job + start.rank
                why = "not pending" if id_ in taken else self._refusal(start, taken)
                answers.append(why)
                if not why:
                    taken.add(id_)
                    self.guests.invite(start)
                    rows.append([id_, start.job, start.rank, start.run, allocation_to_json(start.allocation)])
            if rows:
                invited = {"guests": some} if (some := sorted(taken & self.guests.of(starts))) else {}
                self.log.append(("start", {"fence": fence, "rows": rows, **invited}))
            return answers

    def _refusal(self, start: Start, taken: set[int]) -> str:
        job, old = self.log.records.jobs.get(start.job), self.log.records.elements.get(start.job + start.rank)
        if not job:
            return "no such job"
        if job.ready < 0 or job.waits_until > self.log.now():
            return "not ready"
        if start.rank not in RangeSet.parse(job.pending):
            return "not pending"
        if start.rank in RangeSet.parse(job.held):
            return "held"
        if start.rank in RangeSet.parse(job.corr) or start.rank in RangeSet.parse(job.dead):
            return "not ready"
        throttle = spec_of(job.spec, job.changes, 0).throttle
        if throttle and len(self.log.live(job)) + sum(1 for i in taken if 0 <= i - job.id < job.count) >= throttle:
            return "as many as its limit run"
        for part in start.allocation:
            node = self.log.records.nodes.get(part.node)
            if not node or node.state != NodeState.UP:
                return f"node {part.node} is {node.state if node else 'unknown'}"
        return f"run {start.run} is over" if old and old.run >= start.run else ""

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take a node's report. See store.api."""
        with self.log.lock:
            self.log.check_epoch(node, epoch)
            for began in report.began:
                self._begin(node, began)
            rows = [step_to_json(step) for step in report.steps if self._is_news(step.job, step.run, step)]
            if rows:
                self.log.append(("step", {"node": node, "rows": rows}))
            for moved in report.moved:
                self._move(node, moved)
            for ended in report.ended:
                if over := self.guests.leave(node, ended):
                    self.ending.run(node, *over)
            self.ending.stop_rests()

    def _is_news(self, id_: int, run: int, step: object) -> bool:
        element = self.log.records.elements.get(id_)
        old = self.log.records.steps.get((id_, run, getattr(step, "step", 0)))
        return element is not None and element.run == run and (not old or (old != step and not old.ended_at))

    def _begin(self, node: str, began: Began) -> None:
        element = self.log.held_run(node, began.id, began.run)
        if not element or not may(element.state, Cause.BEGIN):
            self.guests.ready(node, began.id, began.run)
            return
        before = self.log.records.jobs[element.job]
        row = [element.id, element.job, element.run, self.log.past(began.at)]
        self.log.append(("begin", {"node": node, "rows": [row]}))
        self.ends.set_bits("began", element.id, element.id)
        self.dependants.advance(before)

    def _move(self, node: str, moved: Moved) -> None:
        e = self.log.held_run(node, moved.id, moved.run)
        if e and may(e.state, cause_of(moved.state)):
            by = [self.desired.ordered[e.id, e.run]] if (e.id, e.run) in self.desired.ordered else []
            row = [e.id, e.job, e.run, moved.state, self.log.past(moved.at), *by]
            self.log.append(("move", {"node": node, "rows": [row]}))

    def lose(self, fence: int, node: str, reason: str) -> list[int]:
        """Write a node off. See store.api."""
        with self.log.lock:
            self.log.fenced(fence)
            known = self.log.records.nodes.get(node)
            if not known or (known.state == NodeState.DOWN and not self.log.runs(node)):
                return []
            ids = self.ending.write_off(node, reason)
            known = replace(known, state=node_step(known.state, NodeCause.LOSE), epoch=known.epoch + 1, reason=reason)
            self.log.append(("node", {"node": node_to_json(known)}))
            return ids

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on. See store.api."""
        with self.log.lock:
            return self.desired.order(id, run, wanted, uid)

    def nudge(self, node: str) -> None:
        """Ask the leader to send the node's unanswered leases again."""
        with self.log.lock:
            self.log.append(("nudge", {"node": node}))

    def stop_step(self, id: int, run: int, node: str, signal: int, step: int) -> None:
        """Ask the leader to have one step stopped. See store.api."""
        with self.log.lock:
            self.log.append(("kill_step", {"rows": [[id, run, node, signal, step]]}))
