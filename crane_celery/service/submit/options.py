"""Options of a submission, as text, become a JobSpec. Pure: what the cluster offers comes in as an argument.

Each option is read by the grammar of its kind; a failure names the option, and the script's line where it was written.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from crane_celery.errors import CraneError, Denied, Infeasible, InputError, LimitReached, NotFound
from crane_celery.grammar.array import ArraySpec, parse_array
from crane_celery.grammar.constraint import Constraint, format_constraint, parse_constraint, satisfies
from crane_celery.grammar.dependency import parse_dependency
from crane_celery.grammar.duration import format_duration, parse_duration
from crane_celery.grammar.filename import check_filename
from crane_celery.grammar.licenses import format_licenses, parse_licenses
from crane_celery.grammar.memory import parse_memory
from crane_celery.grammar.names import check_entity_name, check_job_name, instead
from crane_celery.grammar.signals import format_signals, parse_signals
from crane_celery.model.fields.table import FIELDS
from crane_celery.model.job import JobSpec
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.sched.choices import fields_of
from crane_celery.sched.feasible import check
from crane_celery.service.shared.caller import Caller, is_operator
from crane_celery.service.shared.hosts import known_nodes
from crane_celery.service.shared.time_zones import moment, shown
from crane_celery.service.submit.dialect import dialect_of
from crane_celery.service.submit.extra import extra_of
from crane_celery.service.submit.option_reader import OF_NO_EFFECT, Options
from crane_celery.service.submit.request import MAX_PATH, JobRequest
from crane_celery.service.submit.shapes import shapes_of
from crane_celery.service.submit.size import size_of
from crane_celery.settings import Settings

MAX_COMMENT = 1000
#: bytes of a file's name, without its directories
MAX_COMPONENT = 255


class Offer(NamedTuple):
    """Record of what the cluster has."""

    settings: Settings
    now: Callable[[], float]  # server time


class Meant(NamedTuple):
    """A request, understood."""

    spec: JobSpec
    elements: int
    held: bool
    notices: tuple[str, ...]


#: --exclusive means whole nodes, and does not
_WHOLE, _SHARED = ("yes", "true", "on", "1", "user"), ("", "no", "false", "off", "0")
#: --nice without a number, and the least that is added to the usual priority, which stays above 0
_NICE, _LEAST = 100, -999


def understand(request: JobRequest, caller: Caller, offer: Offer, body: str) -> Meant:
    """Return what the request means on this cluster. Raises InputError, NotFound, Infeasible, LimitReached.

    Where it may start in several shapes (nodes ``1-4``, partitions ``a,b``), those that the cluster could never hold
    are left out.
    """
    settings = offer.settings
    shapes = list(shapes_of(Options(request), settings))
    if len(shapes) == 1:
        only = _understood(shapes[0], request, caller, offer, body)
        return _choosing([only]) if only.spec.time_min else only
    found: list[Meant] = []
    errors: list[CraneError] = []
    for opt in shapes:
        try:
            meant = _understood(opt, request, caller, offer, body)
            check(meant.spec, settings.nodes, settings.partitions)
            found.append(meant)
        except (Infeasible, LimitReached) as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return _choosing(found)


def _choosing(shapes: list[Meant]) -> Meant:
    """The first of these shapes, with all of them to choose from."""
    choices = fields_of([meant.spec for meant in shapes])
    return shapes[0]._replace(spec=replace(shapes[0].spec, choices=choices))


def _understood(opt: Options, request: JobRequest, caller: Caller, offer: Offer, body: str) -> Meant:
    """Return what one shape of a request means. Raises InputError, NotFound, Infeasible, LimitReached."""
    settings = offer.settings
    opt.refuse_both("array", "repeat")
    _check_cluster(opt, settings)
    partition = _partition(opt, settings)
    nodelist, exclude = _nodes(opt, "nodelist", settings), _nodes(opt, "exclude", settings)
    size = size_of(opt, _members(partition, nodelist, exclude, settings), partition, settings)
    asked = size.shape
    array = _array(opt, settings, partition)
    spec = JobSpec(
        uid=caller.uid,
        gid=caller.gid,
        user=caller.user,
        nodes=asked.nodes,
        ntasks=asked.ntasks,
        ntasks_per_node=asked.ntasks_per_node,
        cpus_per_task=size.cpus_per_task,
        memory=size.memory.size,
        whole_memory=size.memory.whole,
        gres=size.gres,
        partition=partition.name,
        time_limit=_time_limit(opt, partition),
        time_min=_time_min(opt, partition),
        cwd=_directory(opt, request.cwd),
        array=array.indexes.text if array else "",
        throttle=array.throttle if array else 0,
        max_fails=opt.number("array_max_fails"),
        nodelist=nodelist,
        exclude=exclude,
        exclusive=_exclusive(opt),
        priority=_priority(opt, caller, settings),
        submit_host=request.host,
        submit_dir=request.cwd,
        command=opt.text("command")[:4096],
        body=body,
        **_plain(opt),
        **dialect_of(opt, settings),
    )
    _check_long_names(opt, spec)
    spec = replace(spec, **_policy(opt, settings), **_span(opt, request.tz, spec.time_limit, offer))
    spec = replace(spec, constraint=_constraint(opt, spec, settings))
    if both := sorted(set(spec.nodelist) & set(spec.exclude)):
        raise opt.error("nodelist", f"names {both[0]}, which --exclude shuts out")
    if spec.max_fails and not array:
        raise opt.error("array_max_fails", "is for arrays: give --array too")
    notices = tuple(filter(None, (asked.notice, _of_no_effect(opt), _never_sent(spec))))
    return Meant(spec, len(array.indexes) if array else 1, opt.flag("hold"), notices)


#: the grammars of options that say what one field of a specification is, by their names in the table
_READERS: Mapping[str, Callable[[Options, str], Any]] = {
    "job_name": lambda opt, key: opt.read(key, check_job_name, "") or "job",
    "account": lambda opt, key: opt.read(key, check_entity_name, ""),
    "qos": lambda opt, key: opt.read(key, lambda text: check_entity_name(text, "QoS"), ""),
    "text": lambda opt, key: opt.text(key)[:MAX_COMMENT],
    "filename": lambda opt, key: opt.read(key, check_filename, ""),
    "open_mode": lambda opt, key: opt.choice(key, "truncate", "append"),
    "dependency": lambda opt, key: opt.read(key, _dependency, ""),
    "size": lambda opt, key: opt.read(key, parse_memory, 0),
    "signals": lambda opt, key: opt.read(key, lambda text: format_signals(parse_signals(text)), ""),
}
_PLAIN = [field for field in FIELDS if field.read]


def _plain(opt: Options) -> dict[str, Any]:
    """The fields that one option each says; those that were not given have their defaults."""
    given = {field.sets[0]: _READERS[field.read](opt, field.key) for field in _PLAIN if opt.given(field.key)}
    return {"name": "job", **given}


def _of_no_effect(opt: Options) -> str:
    """One notice for all options that do nothing here."""
    ignored = [f"--{name.replace('_', '-')}" for name in OF_NO_EFFECT if opt.word(name)]
    return f"{', '.join(ignored)}: recorded, without effect on this cluster" if ignored else ""


def _exclusive(opt: Options) -> bool:
    """Return whether it gets whole nodes; ``=user`` asks for less than that. Raises InputError."""
    word = opt.word("exclusive").lower()
    if word not in _WHOLE + _SHARED:
        raise opt.error(
            "exclusive", f"{word[:60]!r} is neither yes nor no, nor user: leave the value out for whole nodes"
        )
    return word in _WHOLE


def _priority(opt: Options, caller: Caller, settings: Settings) -> int:
    """Return what ``--nice`` adds to the usual priority. Raises InputError, Denied."""
    word = opt.word("nice")
    if not word or word == "yes":
        return -_NICE if word else 0
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 11):
        raise opt.error("nice", f"{word[:60]!r} is not a whole number, such as 100")
    if word.startswith("-") and int(digits) and not is_operator(caller, settings.operators):
        raise Denied("--nice: only operators raise a priority above the usual: write a number above 0")
    return max(-int(word), _LEAST)


def _check_cluster(opt: Options, settings: Settings) -> None:
    """Raise InputError where it is to run on other clusters only."""
    names = [name.strip() for name in opt.text("clusters").split(",")]
    if opt.given("clusters") and not {settings.cluster, "all"} & set(names):
        raise opt.error("clusters", f"this is cluster {settings.cluster}: leave it out, or submit there (--config)")


def _never_sent(spec: JobSpec) -> str:
    """A notice where a signal before the time limit finds no limit."""
    if not spec.signal or spec.time_limit is not None:
        return ""
    return f"--signal={spec.signal} is not sent while the job has no time limit: give --time, or set one later"


def _array(opt: Options, settings: Settings, partition: Partition) -> ArraySpec | None:
    """The indexes; as many as cluster and partition allow."""
    found = opt.read("array", lambda text: array_of(text, settings), None)
    most = partition.max_array_count
    if found and most and len(found.indexes) > most:
        raise LimitReached(
            f"--array has {len(found.indexes)} elements; partition {partition.name} takes {most} in one array"
            " (MaxArrayCount): submit several arrays, or use another partition"
        )
    return found


def array_of(text: str, settings: Settings) -> ArraySpec:
    """``--array`` within the cluster's limits. Raises InputError."""
    try:
        return parse_array(text, settings.max_array_size - 1, settings.max_array_count)
    except InputError as error:
        raise InputError(f"invalid job array specification: {error.message}") from None


def _policy(opt: Options, settings: Settings) -> dict[str, Any]:
    """Return what happens when: requeues, impossible dependencies; licences; and what else was said."""
    again, kill = opt.yes("requeue"), opt.yes("kill_on_invalid_dep")
    default = "node" if settings.job_requeue else "never"
    kill = settings.kill_invalid_depend if kill is None else kill
    return {
        "requeue": default if again is None else "failure" if again else "never",
        "max_requeue": settings.max_requeue,
        "kill_on_invalid_dep": "yes" if kill else "no",
        "licenses": opt.read("licenses", lambda text: _licenses(text, settings), ""),
        "extra": extra_of(opt),
    }


def _licenses(text: str, settings: Settings) -> str:
    """Canonical. Raises NotFound for one that the cluster does not have, Infeasible for more than it ever has."""
    asked, lacks = parse_licenses(text), []
    for item in asked.items:
        name = f"{item.name}@{item.server}" if item.server else item.name
        have = settings.licenses.get(name)
        if have is None:
            raise NotFound(f"no licence {name!r}{instead(name, settings.licenses, 'ccontrol show lic')}")
        if item.number > have:
            lacks.append(f"{item.number} {name} were asked for; the cluster has {have}")
    if lacks and (not asked.any_of or len(lacks) == len(asked.items)):
        raise Infeasible(f"licences: {'; '.join(lacks)}")
    return format_licenses(asked)


def _span(opt: Options, zone: str, limit: int | None, offer: Offer) -> dict[str, Any]:
    """When it may begin and when it is over, as server time. Raises InputError, Infeasible."""
    if not opt.given("begin") and not opt.given("deadline"):
        return {}
    now = offer.now()
    begin = opt.read("begin", lambda text: moment(text, now, zone), 0.0)
    deadline = opt.read("deadline", lambda text: moment(text, now, zone), 0.0)
    start = max(now, begin)
    if deadline and (deadline < start + (limit or 0) or round(deadline - start, 3) <= 0):
        since = f"begin at {shown(begin, zone)}" if begin > now else "now"
        long = f" and the time limit {format_duration(limit)}" if limit else ""
        raise Infeasible(
            f"deadline {shown(deadline, zone)} is too early for {since}{long}:"
            f" move it to {shown(start + (limit or 0) + 1, zone)} or later, or shorten --time"
        )
    return {"begin": begin if begin > now else 0.0, "deadline": deadline}


def _constraint(opt: Options, spec: JobSpec, settings: Settings) -> str:
    """Canonical. Raises Infeasible where the partition has too few nodes with these features."""
    anything: Constraint = ()
    found = opt.read("constraint", parse_constraint, anything)
    if not found:
        return ""
    members = [settings.nodes[name] for name in settings.partitions[spec.partition].nodes if name in settings.nodes]
    fitting = sum(satisfies(node.features, found) for node in members)
    if fitting < spec.nodes:
        there = sorted({name for node in members for name in node.features})
        raise Infeasible(
            f"--constraint {format_constraint(found)[:200]}: {fitting} nodes of partition {spec.partition} have these"
            f" features, {spec.nodes} were asked for; its features are {', '.join(there)[:500] or 'none'}"
        )
    return format_constraint(found)


def _partition(opt: Options, settings: Settings) -> Partition:
    name = opt.text("partition") or settings.default_partition
    found = settings.partitions.get(name)
    if found is None:
        raise NotFound(f"no partition {name[:60]!r}{instead(name, settings.partitions, 'cinfo')}")
    return found


def _time_limit(opt: Options, partition: Partition) -> int | None:
    """Seconds: what was asked for, else the partition's default, else its maximum. 0 asks for no limit, as in Slurm."""
    given = bool(opt.text("time"))
    asked = opt.read("time", parse_duration, None) or None
    if not given:
        return partition.default_time if partition.default_time is not None else partition.max_time
    if partition.max_time is not None and (asked is None or asked > partition.max_time):
        most = format_duration(partition.max_time)
        raise Infeasible(
            f"time limit {format_duration(asked)} is beyond partition {partition.name}'s maximum {most} (MaxTime):"
            f" ask for --time {most} or less, or use another partition"
        )
    return asked


def _time_min(opt: Options, partition: Partition) -> int:
    """Seconds that the time limit may be made as short as; 0 = it may not. Raises InputError."""
    least, limit = opt.read("time_min", parse_duration, None) or 0, _time_limit(opt, partition)
    if least and (limit is None or least > limit):
        raise opt.error("time_min", "is for jobs with a time limit that is longer: give --time too")
    return least if least != limit else 0


def _dependency(text: str) -> str:
    """The text itself; InputError where it is none. What it names is looked up later."""
    parse_dependency(text)
    return text


def _directory(opt: Options, cwd: str) -> str:
    """The working directory: ``--chdir``, relative to where the caller stands."""
    path = opt.text("chdir")
    if path.startswith("~"):
        raise opt.error("chdir", f"{path[:60]!r}: no ~ is expanded here: write the whole path")
    joined = path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}" if path else cwd
    if len(joined) > MAX_PATH:
        raise opt.error("chdir", f"the path is longer than {MAX_PATH} bytes")
    return joined


def _check_long_names(opt: Options, spec: JobSpec) -> None:
    """Raise InputError where the job's name would make a file name longer than a file system takes."""
    for option, pattern in (("input", spec.stdin), ("output", spec.stdout), ("error", spec.stderr)):
        if "%x" in pattern and max(map(len, pattern.replace("%x", spec.name).encode().split(b"/"))) > MAX_COMPONENT:
            raise opt.error(option, f"with the job's name for %x it is longer than {MAX_COMPONENT} bytes: leave %x out")


def _members(
    partition: Partition, nodelist: tuple[str, ...], exclude: tuple[str, ...], settings: Settings
) -> list[NodeSpec]:
    """Return the nodes that may serve a job, by their names alone."""
    names = [name for name in partition.nodes if name in settings.nodes and name not in exclude]
    return [settings.nodes[name] for name in names if not nodelist or name in nodelist]


def _nodes(opt: Options, name: str, settings: Settings) -> tuple[str, ...]:
    """Return the nodes of a host list. InputError for the first that the cluster does not have."""
    try:
        return tuple(opt.read(name, lambda text: known_nodes((text,), settings.nodes), []))
    except NotFound as error:
        raise opt.error(name, error.message) from None
