"""Accepting submissions: understand, check that the cluster could ever run it, resolve what it waits for, store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from crane_celery.errors import Denied, InputError, LimitReached, Refused
from crane_celery.grammar._lex import quote, whole
from crane_celery.model.dependency import Resolved, encode
from crane_celery.model.job import JobSpec
from crane_celery.service.shared.caller import Caller
from crane_celery.service.submit.array_items import settled
from crane_celery.service.submit.options import Meant, Offer, understand
from crane_celery.service.submit.request import JobRequest, body_of, read_request
from crane_celery.settings import Settings
from crane_celery.store.api import Limits, Store, Submission

MAX_JOBS = 100_000
MAX_REPEAT = 10_000
MAX_KEY = 100
#: of every submission: above 0, which is how a held job is shown
BASE_PRIORITY = 1000.0
#: submissions that go to the store at once: bounds memory here and blocking there
CHUNK = 500


class Accepted(NamedTuple):
    """Ids given out, and what to tell the person."""

    ids: list[int]
    notices: list[str]


class Gate(NamedTuple):
    """Record of what a submission is checked against."""

    offer: Offer
    allow_root: bool
    feasible: Callable[[Meant], None]
    #: of (text, uid, index text)
    resolve: Callable[[str, int, str], Resolved]


def accept(
    caller: Caller, jobs: Sequence[Any], common: Mapping[str, Any], key: str, gate: Gate, store: Store
) -> Accepted:
    """Accept all of ``jobs`` or, when any of them is wrong, none of what the same check can see beforehand.

    ``key`` makes a repeated request harmless: job i of the request is known to the store as (caller, key, i).
    """
    admit(caller, gate)
    if not jobs or len(jobs) > MAX_JOBS:
        raise InputError(f"a request carries from 1 to {MAX_JOBS} jobs, this one {len(jobs)}")
    if len(key) > MAX_KEY:
        raise InputError(f"the idempotency key has more than {MAX_KEY} characters")
    submissions, notices = prepare(caller, jobs, common, gate)
    keys = [f"{caller.uid}:{key}:{number}" if key else "" for number in range(len(submissions))]
    ids: list[int] = []
    try:
        for at in range(0, len(submissions), CHUNK):
            ids += store.submit(submissions[at : at + CHUNK], keys[at : at + CHUNK])
    except Refused as error:
        raise _in_part([*ids, *error.accepted], len(submissions), error) from error
    return Accepted(ids, notices)


def _in_part(ids: list[int], total: int, error: Refused) -> Refused:
    """The error of a request of which some jobs had been accepted: nobody may take those for refused."""
    if not ids:
        return error
    done = f"jobs {ids[0]} to {ids[-1]}" if len(ids) > 1 else f"job {ids[0]}"
    return type(error)(f"{len(ids)} of {total} jobs were accepted ({done}), the others were not: {error.message}")


def admit(caller: Caller, gate: Gate) -> None:
    """Raise Denied for who may not submit at all."""
    if caller.uid == 0 and not gate.allow_root:
        raise Denied("root's jobs are not accepted here: submit as an ordinary user, or set AllowRoot: true")


def prepare(
    caller: Caller, jobs: Sequence[Any], common: Mapping[str, Any], gate: Gate
) -> tuple[list[Submission], list[str]]:
    """The submissions of a request, and its notices, each once. Equal options are understood once."""
    made: list[Submission] = []
    notices: dict[str, None] = {}
    last: tuple[object, Meant] | None = None
    for each in jobs:
        if not isinstance(each, dict):
            raise InputError("each of jobs must be an object")
        request = settled(read_request(each, common), gate.offer.settings)
        body, digest = body_of(request)
        alike = (request.options, request.cwd, request.host, request.tz)
        if last is None or last[0] != alike:
            meant = understand(request, caller, gate.offer, digest)
            gate.feasible(meant)
            last = (alike, meant)
        meant = last[1]
        notices.update(dict.fromkeys(meant.notices))
        submission = _submission(meant, body, digest, gate)
        times = _repeat(request)
        if len(made) + times > MAX_JOBS:  # before they are made: a few letters ask for very many
            raise LimitReached(f"a request carries at most {MAX_JOBS} jobs, this one at least {len(made) + times}")
        made += [submission] * times
    return made, list(notices)


def _submission(meant: Meant, body: bytes, digest: str, gate: Gate) -> Submission:
    spec = meant.spec if meant.spec.body == digest else replace(meant.spec, body=digest)
    dep = encode(gate.resolve(spec.dependency, spec.uid, spec.array)) if spec.dependency else ""
    priority = BASE_PRIORITY + spec.priority
    return Submission(spec, meant.elements, body, dep, meant.held, priority, limits_of(spec, gate.offer.settings))


def limits_of(spec: JobSpec, settings: Settings) -> Limits:
    """Return what the user of a submission may have at most."""
    here = settings.partitions[spec.partition].max_submit_jobs
    return Limits(settings.max_submit_jobs, here, settings.max_submit_bytes)


def _repeat(request: JobRequest) -> int:
    """Return how many times over: ``--repeat``."""
    text = str(request.options.get("repeat") or 1)
    number = whole(text, MAX_REPEAT)
    if not number:
        raise InputError(f"--repeat: {quote(text)} is not a number from 1 to {MAX_REPEAT}")
    return number
