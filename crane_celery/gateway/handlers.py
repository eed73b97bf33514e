"""The verbs of the protocol (docs/architecture.md): check the arguments, call the service, return plain values."""

from collections.abc import Callable
from typing import Any

from crane_celery.errors import InputError
from crane_celery.gateway import args as read
from crane_celery.gateway import following
from crane_celery.gateway.request import Request
from crane_celery.grammar.hostlist import expand_all
from crane_celery.grammar.names import did_you_mean
from crane_celery.grammar.selector import Selector, parse_selectors
from crane_celery.grammar.signals import signal_number
from crane_celery.history.api import Query
from crane_celery.model.states import ENDED
from crane_celery.service.control import cancel as cancelling
from crane_celery.service.control.cancel import Outcome
from crane_celery.service.control.requeue import How, Result
from crane_celery.service.query.filters import Filters, parse_kinds, parse_states
from crane_celery.service.query.listing import Listed, Wanted, conditions
from crane_celery.service.query.privacy import Viewer, viewer
from crane_celery.service.query.spans import TIMES
from crane_celery.service.service import Service
from crane_celery.service.shared.caller import Caller
from crane_celery.service.submit.accept import MAX_KEY
from crane_celery.service.submit.other_options import Other

#: verbs whose answers can be watched
_WATCHED = ("jobs", "steps", "nodes")
_FILTERS = ("names", "users", "partitions", "accounts", "qos", "nodes", "states", "self", "kinds", "licenses")


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
    accepted = service.submit.accept(
        request.caller, jobs, read.mapping(request.args, "common"), read.text(request.args, "key")
    )
    return accepted._asdict()


def _testonly(service: Service, request: Request) -> object:
    read.only(request.args, "jobs")
    jobs = request.args.get("jobs")
    if not isinstance(jobs, list):
        raise InputError("argument jobs must be a list")
    return service.submit.dry_run(request.caller, jobs)


def _start(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    return service.query.start(selectors(request.args))


def _explain(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "tz")
    return service.query.explain(_named(request), read.text(request.args, "tz", limit=100), _viewer(service, request))


def _retry(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "hold", "key", "options", "cwd", "tz")
    options = read.mapping(request.args, "options")
    cwd, zone = read.text(request.args, "cwd"), read.text(request.args, "tz", limit=100)
    chosen = selectors(request.args)
    if len(chosen) != 1:
        raise InputError("name one array, or elements of one, such as 36 or 36_[1-9]")
    held, key = read.flag(request.args, "hold"), read.text(request.args, "key", limit=MAX_KEY)
    other = Other(options, cwd or "/", zone) if options else None
    return service.submit.retry(request.caller, chosen[0], held, key, other)._asdict()


def _cancel(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "filters", "signal", "script", "cascade")
    chosen = selectors(request.args)
    wanted = read.text(request.args, "signal")
    number = signal_number(wanted) if wanted else 0
    filters = _filters(read.mapping(request.args, "filters"), request.caller)
    script = read.flag(request.args, "script")
    if script and not number:
        raise InputError("a script alone can be signalled, not cancelled: name a signal too")
    outcome = service.control.cancel(
        request.caller, chosen, filters, cancelling.How(number, script, read.flag(request.args, "cascade"))
    )
    return {"cancelled": outcome.done, "failed": outcome.failed, "never": outcome.never}


def _hold(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "time")
    return _told(
        service.control.hold(request.caller, _named(request), True, read.text(request.args, "time", limit=100))
    )


def _release(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    return _told(service.control.hold(request.caller, _named(request), False))


def _suspend(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    return _told(service.control.suspend(request.caller, _named(request), request.verb == "suspend"))


def _requeue(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "incomplete", "running", "set", "tz")
    wanted, zone = _wanted_changes(request)
    flags = read.flag(request.args, "incomplete"), read.flag(request.args, "running")
    if flags == (False, True):
        raise InputError("running goes with incomplete: without it what is at work is requeued anyway")
    return _told(
        service.control.requeue(
            request.caller, _named(request), How(request.verb == "requeuehold", *flags, wanted, zone)
        )
    )


def _top(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    return _told(service.control.top(request.caller, _named(request)))


def _update(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", "set", "tz")
    wanted, zone = _wanted_changes(request)
    return _told(service.control.update(request.caller, _named(request), wanted, zone))


def _wanted_changes(request: Request) -> tuple[dict[str, str], str]:
    """Keys and values to set, and the caller's time zone."""
    wanted, zone = read.mapping(request.args, "set"), read.text(request.args, "tz", limit=100)
    if not all(isinstance(value, str) for value in wanted.values()):
        raise InputError("argument set must be an object of texts")
    return dict(wanted), zone


def _update_node(service: Service, request: Request) -> object:
    read.only(request.args, "names", "state", "reason")
    args = request.args
    names, state, reason = read.texts(args, "names"), read.text(args, "state", limit=60), read.text(args, "reason")
    return _told(service.control.update_node(request.caller, names, state, reason))


def _named(request: Request) -> tuple[Selector, ...]:
    """The jobs named: at least one."""
    chosen = selectors(request.args)
    if not chosen:
        raise InputError("name the jobs: write ids such as 12, 12_4 or 12_[1-3]")
    return chosen


def _told(outcome: Outcome | Result) -> object:
    notes = {"notes": list(outcome.notes)} if isinstance(outcome, Result) and outcome.notes else {}
    return {"done": outcome.done, "failed": outcome.failed, **notes}


def _jobs(service: Service, request: Request) -> object:
    """Rows; with ``columns`` (names of a row's keys) these by columns; with ``ids`` their ids only."""
    read.only(request.args, "selectors", "limit", "columns", "cut", "count", "ids", *_FILTERS)
    want, keys = _wanted(request), read.texts(request.args, "columns")
    if read.flag(request.args, "ids"):
        return service.query.job_ids(want)
    if not keys:
        return _counted(service, service.query.jobs(want), request)
    viewer = _viewer(service, request)
    if viewer.hidden.keys().isdisjoint(keys):
        return service.query.table(want, keys)
    return viewer.table(service.query.table(want, (*keys, *({"uid"} - set(keys)))), keys)


def _viewer(service: Service, request: Request) -> Viewer:
    """Return who looks, and what is hidden from them of others' jobs."""
    caller, settings = request.caller, service.settings
    return viewer(caller.uid, settings.private, privileged=service.operator(caller))


def _counted(service: Service, found: Listed, request: Request) -> object:
    """The rows; with ``count`` also how many there are: ``total``, of which at least so many unless ``exact``."""
    rows = _viewer(service, request).listed(found).rows
    if not read.flag(request.args, "count"):
        return rows
    return {"rows": rows, "total": found.total.number, "exact": found.total.exact}


def _wanted(request: Request) -> Wanted:
    """A question about the queue: ended jobs are in it where a state was asked for that includes them."""
    filters, words = _filters(request.args, request.caller), read.texts(request.args, "states")
    past = bool(filters.states & ENDED) or any(word.strip().lower() == "all" for word in words)
    limit, cut = read.number(request.args, "limit"), read.number(request.args, "cut")
    return Wanted(selectors(request.args), filters, limit, past, cut)


def _steps(service: Service, request: Request) -> object:
    read.only(request.args, "selectors", *_FILTERS)
    found = service.query.steps(selectors(request.args, first_step=0), _filters(request.args, request.caller))
    return _viewer(service, request).rows(found)


def _show(service: Service, request: Request) -> object:
    read.only(request.args, "what", "names")
    what = read.text(request.args, "what", limit=60)
    names = read.texts(request.args, "names")
    chosen = parse_selectors(",".join(names), int(what == "job")) if names and what in ("job", "step") else ()
    found = service.query.show(what, names, chosen)
    return _viewer(service, request).rows(found) if what in ("job", "step") else found


def _nodes(service: Service, request: Request) -> object:
    read.only(request.args)
    return {"nodes": service.query.nodes(), "partitions": service.query.partitions()}


def _history(service: Service, request: Request) -> object:
    """Rows of runs; with ``summary`` one of each array; with ``ids`` their ids only."""
    args = request.args
    read.only(args, "selectors", *TIMES, "tz", "limit", "steps", "summary", "ids", "last", "count", *_FILTERS)
    filters = _filters(args, request.caller)
    zone = read.text(args, "tz", limit=100)
    spans: dict[str, Any] = dict(service.query.spans({name: read.text(args, name) for name in TIMES}, zone))
    want = Query(
        selectors=selectors(args, first_step=0),
        **conditions(filters, filters.states),
        **spans,
        limit=read.number(args, "limit", 1000),
        steps=read.flag(args, "steps"),
        last=read.flag(args, "last"),
    )
    if read.flag(args, "ids"):
        return service.query.ids(want)
    return _counted(
        service, service.query.arrays(want) if read.flag(args, "summary") else service.query.history(want), request
    )


def _output(service: Service, request: Request) -> object:
    """Return where output lies; ``failed``: of so many at most that did not complete."""
    read.only(request.args, "selectors", "failed")
    return service.query.output(_named(request), read.number(request.args, "failed", 0, high=1000))


def _usage(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    return _viewer(service, request).usage(service.query.usage(_named(request)))


def _dependents(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    chosen = _named(request)
    return service.query.dependents(chosen)


def _story(service: Service, request: Request) -> object:
    read.only(request.args, "selectors")
    chosen = _named(request)
    return service.query.story(chosen)


def _watch(service: Service, request: Request) -> object:
    """One of the listings, whenever it has changed."""
    read.only(request.args, "verb", "args")
    verb = read.text(request.args, "verb", limit=60)
    if verb not in _WATCHED:
        raise InputError(f"{verb!r} cannot be watched: there are {', '.join(_WATCHED)}")
    return following.watch(service, request._replace(args=read.mapping(request.args, "args")), _VERBS[verb])


def _ping(service: Service, request: Request) -> object:
    read.only(request.args)
    return service.ping(request.caller)


def selectors(args: read.Args, first_step: int = 1) -> tuple[Selector, ...]:
    """The ids named; none is no condition."""
    text = read.text(args, "selectors")
    return parse_selectors(text, first_step) if text else ()


def _filters(args: read.Args, caller: Caller) -> Filters:
    read.only({name: None for name in args if name in _FILTERS}, *_FILTERS)
    return Filters(
        names=read.texts(args, "names"),
        users=read.texts(args, "users"),
        uids=(caller.uid,) if read.flag(args, "self") else (),
        partitions=read.texts(args, "partitions"),
        accounts=read.texts(args, "accounts"),
        qos=read.texts(args, "qos"),
        nodes=tuple(expand_all(read.texts(args, "nodes"))),
        states=parse_states(read.texts(args, "states")),
        kinds=parse_kinds(read.texts(args, "kinds")),
        licenses=read.texts(args, "licenses"),
    )


_VERBS: dict[str, Callable[[Service, Request], object]] = {
    "submit": _submit,
    "retry": _retry,
    "cancel": _cancel,
    "hold": _hold,
    "release": _release,
    "suspend": _suspend,
    "resume": _suspend,
    "requeue": _requeue,
    "requeuehold": _requeue,
    "update": _update,
    "top": _top,
    "update_node": _update_node,
    "jobs": _jobs,
    "steps": _steps,
    "show": _show,
    "nodes": _nodes,
    "history": _history,
    "usage": _usage,
    "output": _output,
    "story": _story,
    "dependents": _dependents,
    "explain": _explain,
    "start": _start,
    "testonly": _testonly,
    "wait": following.wait,
    "watch": _watch,
    "ping": _ping,
}
