"""Runs on a server: rows go out as JSON and in as lists, without record objects. See store.api.runs."""

from __future__ import annotations

from collections.abc import Sequence

from crane_celery.store import script_args
from crane_celery.store.api import NOBODY, Report, Start, Wanted
from crane_celery.store.codec import dumps
from crane_celery.store.redis.part import Part


class RedisRuns(Part):
    """store.api.RunStore."""

    def start(self, fence: int, starts: Sequence[Start]) -> list[str]:
        """Commit starts. See store.api."""
        answers = self.link.run("start", fence, dumps([script_args.start_row(start) for start in starts]))
        return [answer.decode() for answer in answers]

    def report(self, node: str, epoch: int, report: Report) -> None:
        """Take a node's report, 500 rows in one step. See store.api."""
        for part in script_args.reports(report):
            self.link.run("report", node, epoch, dumps(node), script_args.report_text(part))

    def lose(self, fence: int, node: str, reason: str) -> list[int]:
        """Write a node off, 1,000 runs in one step. See store.api."""
        ended: list[int] = []
        more, *ids = self.link.run("lose", fence, node, dumps(node), dumps(reason), 0)
        while more:
            ended += ids
            more, *ids = self.link.run("lose", fence, node, dumps(node), dumps(reason), 1)
        return sorted(ended + ids)

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on. See store.api."""
        return bool(self.link.run("order", id, run, dumps(wanted), "" if uid < 0 else uid))

    def nudge(self, node: str) -> None:
        """Ask the leader to send the node's unanswered leases again."""
        self.link.run("nudge", dumps(node))

    def stop_step(self, id: int, run: int, node: str, signal: int, step: int) -> None:
        """Ask the leader to have one step stopped. See store.api."""
        self.link.run("stop_step", id, run, dumps(node), signal, step)
