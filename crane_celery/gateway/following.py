"""Verbs that stay: ``wait`` sends how far jobs are, ``watch`` a listing, each whenever it has changed."""

import select
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from crane_celery.errors import InputError, Unreachable
from crane_celery.gateway import args as read
from crane_celery.gateway import protocol
from crane_celery.gateway.request import Request
from crane_celery.gateway.waiters import ANYTHING
from crane_celery.grammar.selector import parse_selectors
from crane_celery.service.query import progress
from crane_celery.service.service import Service

MAX_WAITED = 10_000
#: progress frames of a wait, and listings of a watch, seconds apart at least
PROGRESS_S = 0.2
#: a listing that is long in the making is made less often: so many times longer it rests
WATCH_SHARE = 10
#: of so few jobs everything is told at once: there cannot be much of it
FEW = 16
#: either goes on for so long without the server, and asks for it so often
OUTAGE_S, RETRY_S = 300.0, 0.5
T = TypeVar("T")


def wait(service: Service, request: Request) -> object:
    """Send how far the jobs are whenever that changes; at the end, their codes. A server that goes away while it waits
    is waited for too."""
    read.only(request.args, "ids")
    ids = request.args.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_WAITED:
        raise InputError(f"argument ids must be a list of 1 to {MAX_WAITED} ids")
    chosen = parse_selectors(",".join(str(each)[:MAX_WAITED] for each in ids))
    goals = _insist(request, lambda: service.query.goals(chosen))
    jobs = [goal.job for goal in goals]
    with ExitStack() as stack:
        stack.enter_context(request.turn.following())
        waiter = _insist(request, lambda: stack.enter_context(request.waiters.waiter(jobs)))
        codes: dict[str, int] = {}
        while not codes:
            _follow(service, request, goals, waiter.fd, waiter.clear)
            codes = _insist(request, lambda: _codes(service, goals))
    return {"codes": codes}


def _codes(service: Service, goals: Sequence[progress.Goal]) -> dict[str, int]:
    """The code of each; none where one that had ended was requeued meanwhile."""
    codes = {goal.shown: progress.code(goal, service.store) for goal in goals}
    ended = (stand.ended == stand.total for stand in (progress.standing(goal, service.store) for goal in goals))
    return codes if all(ended) else {}


def watch(service: Service, request: Request, listing: Callable[[Service, Request], object]) -> object:
    """Send what ``listing`` answers to this request, now and whenever it answers something else. Never returns.

    Raises what ``listing`` raises at first; EOFError when the client goes away or the gateway stops.
    """
    shown = listing(service, request)  # what is wrong with the question is said before anything is awaited
    poll = select.poll()
    poll.register(request.sock, select.POLLIN | select.POLLRDHUP)
    with ExitStack() as stack:
        stack.enter_context(request.turn.following())
        waiter = _insist(request, lambda: stack.enter_context(request.waiters.waiter([ANYTHING])))
        before = None
        while True:
            began = time.monotonic()
            shown = _insist(request, lambda: listing(service, request))
            calm_s = max(PROGRESS_S, WATCH_SHARE * (time.monotonic() - began))
            if shown != before:
                before = shown
                _send(request, {"more": shown})
            _until_news(poll, waiter.fd, request, calm_s)
            waiter.clear()


def _follow(
    service: Service, request: Request, goals: Sequence[progress.Goal], fd: int, clear: Callable[[], None]
) -> None:
    """Return when every goal has ended. Raises EOFError when the client goes away or the gateway stops."""
    poll = select.poll()
    poll.register(request.sock, select.POLLIN | select.POLLRDHUP)
    open_goals, before = list(goals), None
    sums = {goal: progress.Standing(len(goal.ranks), 0, 0, len(goal.ranks)) for goal in goals}
    while True:
        sums.update(_standings(service, request, open_goals))
        open_goals = [goal for goal in open_goals if sums[goal].ended < sums[goal].total]
        counts = [sum(part) for part in zip(*sums.values(), strict=True)]
        if counts != before:
            before = counts
            more = dict(zip(progress.Standing._fields, counts, strict=True))
            _send(request, {"more": more})
        if not open_goals:
            return
        _until_news(poll, fd, request, 0.0 if counts[0] <= FEW else PROGRESS_S)
        clear()


def _standings(
    service: Service, request: Request, goals: Sequence[progress.Goal]
) -> dict[progress.Goal, progress.Standing]:
    return _insist(request, lambda: {goal: progress.standing(goal, service.store) for goal in goals})


def _insist(request: Request, ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns, asked again while the server is away, for ``OUTAGE_S`` at most.

    Raises Unreachable then; EOFError when the client goes away or the gateway stops.
    """
    until = time.monotonic() + OUTAGE_S
    poll = select.poll()
    poll.register(request.sock, select.POLLIN | select.POLLRDHUP)
    while True:
        try:
            return ask()
        except Unreachable:
            if time.monotonic() > until:
                raise
        with request.turn.idle():
            gone = poll.poll(RETRY_S * 1000)
        if gone or request.waiters.stopped:
            raise EOFError("the waiting client went away, or the gateway stops")


def _send(request: Request, value: object) -> None:
    """Send a frame; a client that reads slowly does not keep its user's turn meanwhile."""
    frame = protocol.pack(value)
    with request.turn.idle():
        request.sock.sendall(frame)


def _until_news(poll: select.poll, fd: int, request: Request, calm_s: float) -> None:
    """Sleep until the eventfd is written; what comes within ``calm_s`` of the last look is looked at together."""
    with request.turn.idle():
        if poll.poll(calm_s * 1000):
            raise EOFError("the waiting client went away")
        poll.register(fd, select.POLLIN)
        ready = [number for number, _ in poll.poll()]
        poll.unregister(fd)
    if ready != [fd] or request.waiters.stopped:
        raise EOFError("the waiting client went away, or the gateway stops")
