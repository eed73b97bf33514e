"""Define what only the leading scheduler may do, guarded by its fence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from crane_celery.model.dependency import Block, Facts
from crane_celery.model.job import Element, Job
from crane_celery.model.node import Node


class Forgotten(NamedTuple):
    """Record of what a call of ``forget`` did."""

    jobs: int  # submissions that are gone
    more: bool  # another call would go on


class Snapshot(NamedTuple):
    """Everything the scheduler needs, and the event after which it holds."""

    seq: str
    now: float
    jobs: list[Job]  # alive: something pending or holding
    elements: list[Element]  # holding an allocation
    nodes: list[Node]


class Question(NamedTuple):
    """A dependant whose dependency may have changed, with the facts as the server knows them now."""

    job: int
    dep: str
    facts: list[tuple[Block, Facts]]


class Answer(NamedTuple):
    """The verdict on a question: ``Job.dep``, ``ready``, ``corr`` and ``dead`` as they are now."""

    job: int
    dep: str
    ready: float
    corr: str = ""
    dead: str = ""


class LeaderStore(Protocol):
    """Protocol of who schedules."""

    def lead(self, holder: str, ttl_s: float) -> int:
        """Take or renew the lease: the fence (> 0) for the holder, 0 while another holds it."""

    def resign(self, holder: str) -> None:
        """Give the lease up, if it is ours. Idempotent."""

    def note_plan(self, fence: int, text: str) -> None:
        """Note what the last plan says (sched.noted ``encode``); an event tells of it. Raises StaleFence."""

    def noted_plan(self) -> str:
        """Return what the latest leader noted; "" at first."""

    def snapshot(self) -> Snapshot:
        """All live records, consistent with one event id: events after ``seq`` bring it up to date (each is safe to
        apply even where the snapshot already holds its effect)."""

    def questions(self, fence: int, limit: int) -> list[Question]:
        """Take up to ``limit`` dependants off the durable resolve queue, with facts. They stay queued until judged.

        A store may give fewer than ``limit`` though more wait: the queue is drained when the answer is empty.
        """

    def judge(self, fence: int, answers: Sequence[Answer]) -> None:
        """Store verdicts and take these questions off the queue."""

    def ask(self, fence: int, jobs: Sequence[int]) -> None:
        """Queue these dependants to be judged, for a reason that the store does not see. Raises StaleFence."""

    def expire(
        self, fence: int, job: int, ranks: str, state: str, code: int, reason: str, hopeless: bool = False
    ) -> int:
        """End pending ranks ("" = all) in this state, without a run; how many. ``hopeless``: only those that by the
        present verdict can never start. Idempotent. Raises StaleFence."""

    def forget(self, fence: int, before: float, limit: int) -> Forgotten:
        """Drop up to ``limit`` submissions that ended before this time and that the recorder has filed. A long array
        goes in several calls, each of which takes some 50 ms at most."""
