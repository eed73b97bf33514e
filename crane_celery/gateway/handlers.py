"""The verbs of the protocol (docs/architecture.md): check the arguments, call the service, return plain values."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeVar

from crane_celery.errors import InputError, Unreachable
from crane_celery.gateway import args as read
from crane_celery.gateway import protocol
from crane_celery.gateway.waiters import Waiters
from crane_celery.grammar.hostlist import expand
from crane_celery.grammar.names import did_you_mean
from crane_celery.grammar.selector import Selector, parse_selectors
from crane_celery.grammar.signals import signal_number
from crane_celery.history.api import Query
from crane_celery.model.states import ENDED, State
from crane_celery.service import waiting
from crane_celery.service.caller import Caller
from crane_celery.service.filters import Filters, parse_kinds, parse_states
from crane_celery.service.listing import Wanted
from crane_celery.service.service import Service

MAX_WAITED = 10_000
#: progress frames of a wait, seconds apart at least
PROGRESS_S = 0.2
#: a wait goes on for so long without the server, and asks for it so often
OUTAGE_S, RETRY_S = 300.0, 0.5
_FILTERS = ("names", "users", "partitions", "accounts", "qos", "nodes", "states", "self", "kinds", "licenses")
T = TypeVar("T")


class Request(NamedTuple):
    """One request, its outer shape checked."""

    verb: str
    args: dict[str, Any]
    caller: Caller
    sock: socket.socket
    waiters: Waiters


def handle(service: Service, request: Request) -> object:
    """The value of a request. Raises CraneError."""
    handler = _VERBS.get(request.verb)
    if handler is None:
        raise InputError(f"unknown verb {request.verb[:60]!r}{did_you_mean(request.verb, _VERBS)}")
    return handler(service, request)


def _submit(service: Service, request: Request) -> object:
    read.only(request.args, "jobs", "common", "key")
    jobs = request.args.get("jobs")
    if not isinstance(jobs, list):
        raise InputError("argument jobs must be a list")
    accepted = service.submit(
        request.caller, jobs, read.mapping(request.args, "common"), read.text(request.args, "key")
    )
    return accepted._asdict()


def _cancel(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "filters", "signal")
    chosen = selectors(request.args)
    wanted = read.text(request.args, "signal")
    number = signal_number(wanted) if wanted else 0
    filters = _filters(read.mapping(request.args, "filters"), request.caller)
    outcome = service.cancel(request.caller, chosen, filters, number)
    return {"cancelled": outcome.done, "failed": outcome.failed, "never": outcome.never}


def _hold(service: Service, request: Request, on: bool = True) -> object:
    read.only(request.args, "selectors")
    chosen = selectors(request.args)
    if not chosen:
        raise InputError("name the jobs: write ids such as 12, 12_4 or 12_[1-3]")
    outcome = service.hold(request.caller, chosen, on)
    return {"done": outcome.done, "failed": outcome.failed}


def _release(service: Service, request: Request) -> object:
    return _hold(service, request, on=False)


def _jobs(service: Service, request: Request) -> object:
    """Rows; with ``columns`` (names of a row's keys) these by columns."""
    read.only(request.args, "selectors", "limit", "columns", "cut", *_FILTERS)
    want, keys = _wanted(request), read.texts(request.args, "columns")
    return service.table(want, keys) if keys else service.jobs(want)


def _wanted(request: Request) -> Wanted:
    """A question about the queue: ended jobs are in it where a state was asked for that includes them."""
    filters, words = _filters(request.args, request.caller), read.texts(request.args, "states")
    past = bool(filters.states & ENDED) or any(word.strip().lower() == "all" for word in words)
    limit, cut = read.number(request.args, "limit"), read.number(request.args, "cut")
    return Wanted(selectors(request.args), filters, limit, past, cut)


def _steps(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", *_FILTERS)
    return service.steps(selectors(request.args), _filters(request.args, request.caller))


def _show(service: Service, request: Request) -> object:
    read.only(request.args, "what", "names")
    what = read.text(request.args, "what", limit=60)
    names = read.texts(request.args, "names")
    chosen = parse_selectors(",".join(names)) if names and what in ("job", "step") else ()
    return service.show(what, names, chosen)


def _nodes(service: Service, request: Request) -> object:
    read.only(request.args)
    return {"nodes": service.nodes(), "partitions": service.partitions()}


def _history(service: Service, request: Request) -> object:
    args = request.args
    read.only(args, "selectors", "start", "end", "submit", "tz", "limit", "steps", *_FILTERS)
    filters = _filters(args, request.caller)
    zone = read.text(args, "tz", limit=100)
    start, end, submit = (service.span(read.text(args, name), zone) for name in ("start", "end", "submit"))
    want = Query(
        selectors=selectors(args),
        users=filters.users,
        uids=filters.uids,
        states=tuple(str(state) for state in State if state in filters.states),
        names=filters.names,
        partitions=filters.partitions,
        accounts=filters.accounts,
        qos=filters.qos,
        nodes=filters.nodes,
        start=start,
        end=end,
        submit=submit,
        limit=read.number(args, "limit", 1000),
        steps=read.flag(args, "steps"),
    )
    return service.history(want)


def _wait(service: Service, request: Request) -> object:
    """Send how far the jobs are whenever that changes; at the end, their codes. A server that goes away while it waits
    is waited for too."""
    read.only(request.args, "ids")
    ids = request.args.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_WAITED:
        raise InputError(f"argument ids must be a list of 1 to {MAX_WAITED} ids")
    chosen = parse_selectors(",".join(str(each)[:MAX_WAITED] for each in ids))
    goals = _insist(request, lambda: service.goals(chosen))
    jobs = [goal.job for goal in goals]
    with ExitStack() as stack:
        waiter = _insist(request, lambda: stack.enter_context(request.waiters.waiter(jobs)))
        _follow(service, request, goals, waiter.fd, waiter.clear)
    return {"codes": _insist(request, lambda: {goal.shown: waiting.code(goal, service.store) for goal in goals})}


def _follow(
    service: Service, request: Request, goals: Sequence[waiting.Goal], fd: int, clear: Callable[[], None]
) -> None:
    """Return when every goal has ended. Raises EOFError when the client goes away or the gateway stops."""
    poll = select.poll()
    poll.register(request.sock, select.POLLIN | select.POLLRDHUP)
    open_goals, before = list(goals), None
    sums = {goal: waiting.Standing(len(goal.ranks), 0, 0) for goal in goals}
    while True:
        sums.update(_standings(service, request, open_goals))
        open_goals = [goal for goal in open_goals if sums[goal].ended < sums[goal].total]
        counts = [sum(part) for part in zip(*sums.values(), strict=True)]
        if counts != before:
            before = counts
            more = dict(zip(("total", "ended", "ok"), counts, strict=True))
            request.sock.sendall(protocol.pack({"more": more}))
        if not open_goals:
            return
        _until_news(poll, fd, request.waiters)
        clear()


def _standings(
    service: Service, request: Request, goals: Sequence[waiting.Goal]
) -> dict[waiting.Goal, waiting.Standing]:
    return _insist(request, lambda: {goal: waiting.standing(goal, service.store) for goal in goals})


def _insist(request: Request, ask: Callable[[], T]) -> T:
    """What ``ask`` returns, asked again while the server is away, for ``OUTAGE_S`` at most.

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
        if poll.poll(RETRY_S * 1000) or request.waiters.stopped:
            raise EOFError("the waiting client went away, or the gateway stops")


def _until_news(poll: select.poll, fd: int, waiters: Waiters) -> None:
    """Sleep until the eventfd is written; what came within PROGRESS_S of the last look is looked at together."""
    if poll.poll(PROGRESS_S * 1000):
        raise EOFError("the waiting client went away")
    poll.register(fd, select.POLLIN)
    ready = [number for number, _ in poll.poll()]
    poll.unregister(fd)
    if ready != [fd] or waiters.stopped:
        raise EOFError("the waiting client went away, or the gateway stops")


def _ping(service: Service, request: Request) -> object:
    read.only(request.args)
    return service.ping(request.caller)


def selectors(args: read.Args) -> tuple[Selector, ...]:
    """The ids named; none is no condition."""
    text = read.text(args, "selectors")
    return parse_selectors(text) if text else ()


def _filters(args: read.Args, caller: Caller) -> Filters:
    read.only({name: None for name in args if name in _FILTERS}, *_FILTERS)
    nodes = [name for each in read.texts(args, "nodes") for name in expand(each)]
    return Filters(
        names=read.texts(args, "names"),
        users=read.texts(args, "users"),
        uids=(caller.uid,) if read.flag(args, "self") else (),
        partitions=read.texts(args, "partitions"),
        accounts=read.texts(args, "accounts"),
        qos=read.texts(args, "qos"),
        nodes=tuple(nodes),
        states=parse_states(read.texts(args, "states")),
        kinds=parse_kinds(read.texts(args, "kinds")),
        licenses=read.texts(args, "licenses"),
    )


_VERBS: dict[str, Callable[[Service, Request], object]] = {
    "submit": _submit,
    "cancel": _cancel,
    "hold": _hold,
    "release": _release,
    "jobs": _jobs,
    "steps": _steps,
    "show": _show,
    "nodes": _nodes,
    "history": _history,
    "wait": _wait,
    "ping": _ping,
}
