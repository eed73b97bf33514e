"""Options of a submission, as text, become a JobSpec. Pure: what the cluster offers comes in as an argument.

Each option is read by the grammar of its kind; a failure names the option, and the script's line where it was written.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from crane_celery.errors import Infeasible, InputError, NotFound
from crane_celery.grammar.array import parse_array
from crane_celery.grammar.dependency import parse_dependency
from crane_celery.grammar.duration import format_duration, parse_duration
from crane_celery.grammar.filename import check_filename
from crane_celery.grammar.gres import Gres, parse_gpus_per_node, parse_gres
from crane_celery.grammar.hostlist import expand
from crane_celery.grammar.memory import format_memory, parse_memory
from crane_celery.grammar.names import check_entity_name, check_job_name, did_you_mean
from crane_celery.model.job import JobSpec
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.service.arithmetic import Shape, shape
from crane_celery.service.caller import Caller
from crane_celery.service.request import MAX_PATH, JobRequest

T = TypeVar("T")
MAX_NUMBER = 10_000_000
MAX_CPUS = 1_000_000.0
MAX_COMMENT = 1000
_OF_NO_EFFECT = ("account", "qos", "mail_type", "mail_user", "comment", "wckey")
_KNOWN = frozenset(
    {
        *("job_name", "nodes", "ntasks", "ntasks_per_node", "cpus_per_task", "mem", "mem_per_cpu", "gres"),
        *("gpus_per_node", "time", "partition", "account", "qos", "chdir", "input", "output", "error", "open_mode"),
        *("array", "dependency", "hold", "nodelist", "exclude", "exclusive", "comment", "wckey", "interpreter"),
        *("mail_type", "mail_user", "repeat", "get_user_env", "command"),
    }
)


class Offer(NamedTuple):
    """What the cluster has."""

    nodes: Mapping[str, NodeSpec]
    partitions: Mapping[str, Partition]
    default_partition: str
    max_array_size: int
    max_array_count: int


class Meant(NamedTuple):
    """A request, understood."""

    spec: JobSpec
    elements: int
    held: bool
    notices: tuple[str, ...]


class _Options:
    """Typed reading of the option mapping, with errors that say which option and where."""

    def __init__(self, request: JobRequest) -> None:
        unknown = sorted(str(name) for name in request.options if name not in _KNOWN)
        if unknown:
            raise InputError(f"unknown option {unknown[0][:60]!r}{did_you_mean(unknown[0], _KNOWN)}")
        self._values = request.options
        self._where = request.where

    def error(self, name: str, why: str) -> InputError:
        """An InputError that names the option."""
        place = self._where.get(name)
        return InputError(f"{f'{place}: ' if place else ''}--{name.replace('_', '-')}: {why}")

    def text(self, name: str) -> str:
        """A text option, "" when absent."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > 1 << 20 or "\0" in value:
            raise self.error(name, "must be a text without NUL")
        return value

    def read(self, name: str, parse: Callable[[str], T], absent: T) -> T:
        """A text option through its grammar; "" is an error of the grammar, absence is not."""
        if self._values.get(name) is None:
            return absent
        try:
            return parse(self.text(name))
        except InputError as error:
            raise self.error(name, error.message) from None

    def number(self, name: str, low: int = 1, high: int = MAX_NUMBER) -> int:
        """A whole number as text or number, 0 when absent."""
        value = self._values.get(name)
        if value is None:
            return 0
        text = str(value)
        digits = text.removeprefix("-")
        if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            raise self.error(name, f"{text[:60]!r} is not a whole number")
        if not low <= int(text) <= high:
            raise self.error(name, f"{text} is not from {low} to {high}")
        return int(text)

    def cpus(self) -> float:
        """``--cpus-per-task``: above 0, fractions allowed; 1 when absent."""
        value = self._values.get("cpus_per_task")
        if value is None:
            return 1.0
        try:
            cpus = float(str(value)) if str(value).isascii() else 0.0
        except ValueError:
            cpus = 0.0
        if not 0 < cpus <= MAX_CPUS:
            raise self.error("cpus_per_task", f"{str(value)[:60]!r} is not a number of CPUs above 0")
        return cpus

    def flag(self, name: str) -> bool:
        """A switch."""
        return self._values.get(name) is True


def understand(request: JobRequest, caller: Caller, offer: Offer, body: str) -> Meant:
    """What the request means on this cluster. Raises InputError, NotFound, Infeasible."""
    opt = _Options(request)
    _refuse_both(opt, "mem", "mem_per_cpu")
    _refuse_both(opt, "array", "repeat")
    partition = _partition(opt, offer)
    asked = shape(opt.number("nodes"), opt.number("ntasks"), opt.number("ntasks_per_node"))
    cpus = opt.cpus()
    array = opt.read("array", lambda text: parse_array(text, offer.max_array_size - 1, offer.max_array_count), None)
    spec = JobSpec(
        name=opt.read("job_name", check_job_name, "job") or "job",
        uid=caller.uid,
        gid=caller.gid,
        user=caller.user,
        nodes=asked.nodes,
        ntasks=asked.ntasks,
        ntasks_per_node=asked.ntasks_per_node,
        cpus_per_task=cpus,
        memory=_memory(opt, asked, cpus, partition, offer),
        gres=_gres(opt),
        partition=partition.name,
        account=opt.read("account", check_entity_name, ""),
        qos=opt.read("qos", lambda text: check_entity_name(text, "QoS"), ""),
        comment=opt.text("comment")[:MAX_COMMENT],
        wckey=opt.text("wckey")[:MAX_COMMENT],
        time_limit=_time_limit(opt, partition),
        cwd=_directory(opt, request.cwd),
        stdin=opt.read("input", check_filename, "/dev/null"),
        stdout=opt.read("output", check_filename, ""),
        stderr=opt.read("error", check_filename, ""),
        open_mode=_choice(opt, "open_mode", ("truncate", "append")),
        array=array.indexes.text if array else "",
        throttle=array.throttle if array else 0,
        dependency=opt.read("dependency", _dependency, ""),
        nodelist=tuple(opt.read("nodelist", expand, [])),
        exclude=tuple(opt.read("exclude", expand, [])),
        exclusive=opt.flag("exclusive"),
        submit_host=request.host,
        submit_dir=request.cwd,
        command=opt.text("command")[:4096],
        body=body,
    )
    _refuse_unknown_nodes(opt, spec, offer)
    notices = [asked.notice] if asked.notice else []
    ignored = [f"--{name.replace('_', '-')}" for name in _OF_NO_EFFECT if opt.text(name)]
    if ignored:
        notices.append(f"{', '.join(ignored)}: recorded, without effect on this cluster")
    return Meant(spec, len(array.indexes) if array else 1, opt.flag("hold"), tuple(notices))


def _refuse_both(opt: _Options, one: str, other: str) -> None:
    if opt.text(one) and opt.text(other):
        raise opt.error(one, f"excludes --{other.replace('_', '-')}: give one of them")


def _choice(opt: _Options, name: str, choices: tuple[str, ...]) -> str:
    value = opt.text(name) or choices[0]
    if value not in choices:
        raise opt.error(name, f"{value[:60]!r} is none of {', '.join(choices)}")
    return value


def _partition(opt: _Options, offer: Offer) -> Partition:
    name = opt.text("partition") or offer.default_partition
    found = offer.partitions.get(name)
    if found is None:
        known = ", ".join(sorted(offer.partitions))
        hint = did_you_mean(name, offer.partitions)
        raise NotFound(f"no partition {name[:60]!r}{hint or f': there are {known}'}")
    return found


def _time_limit(opt: _Options, partition: Partition) -> int | None:
    """Seconds: what was asked for, else the partition's default, else its maximum. 0 asks for no limit, as in Slurm."""
    given = bool(opt.text("time"))
    asked = opt.read("time", parse_duration, None) or None
    if not given:
        return partition.default_time if partition.default_time is not None else partition.max_time
    if partition.max_time is not None and (asked is None or asked > partition.max_time):
        most = format_duration(partition.max_time)
        raise Infeasible(f"time limit {format_duration(asked)} is beyond partition {partition.name}'s maximum {most}")
    return asked


def _memory(opt: _Options, asked: Shape, cpus_per_task: float, partition: Partition, offer: Offer) -> int:
    """Bytes on each node."""
    tasks = asked.ntasks_per_node or -(-asked.ntasks // asked.nodes)
    cpus = tasks * cpus_per_task
    memory = opt.read("mem", parse_memory, 0)
    per_cpu = opt.read("mem_per_cpu", parse_memory, 0)
    if not memory:
        memory = int((per_cpu or _default_per_cpu(partition, offer)) * cpus)
    most = partition.max_memory_per_node
    if most and memory > most:
        raise Infeasible(
            f"{format_memory(memory)} per node is beyond partition {partition.name}'s maximum {format_memory(most)}"
        )
    return max(memory, 1)


def _default_per_cpu(partition: Partition, offer: Offer) -> float:
    """Bytes for each CPU: configured, else what the smallest node of the partition has for each of its CPUs."""
    if partition.default_memory_per_cpu:
        return partition.default_memory_per_cpu
    nodes = [offer.nodes[name] for name in partition.nodes if name in offer.nodes]
    return min((node.memory / node.cpus for node in nodes if node.cpus), default=0.0)


def _gres(opt: _Options) -> dict[str, int]:
    none: Gres = {}
    found = dict(opt.read("gres", parse_gres, none))
    for key, count in opt.read("gpus_per_node", parse_gpus_per_node, none).items():
        if key in found:
            raise opt.error("gpus_per_node", "names what --gres names already: give it once")
        found[key] = count
    return {":".join(filter(None, key)): count for key, count in found.items()}


def _dependency(text: str) -> str:
    """The text itself; InputError where it is none. What it names is looked up later."""
    parse_dependency(text)
    return text


def _directory(opt: _Options, cwd: str) -> str:
    """The working directory: ``--chdir``, relative to where the caller stands."""
    path = opt.text("chdir")
    joined = path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}" if path else cwd
    if len(joined) > MAX_PATH:
        raise opt.error("chdir", f"the path is longer than {MAX_PATH} bytes")
    return joined


def _refuse_unknown_nodes(opt: _Options, spec: JobSpec, offer: Offer) -> None:
    for option, names in (("nodelist", spec.nodelist), ("exclude", spec.exclude)):
        for name in names:
            if name not in offer.nodes:
                raise opt.error(option, f"there is no node {name[:60]!r}{did_you_mean(name, offer.nodes)}")
    both = sorted(set(spec.nodelist) & set(spec.exclude))
    if both:
        raise opt.error("nodelist", f"names {both[0]}, which --exclude shuts out")
