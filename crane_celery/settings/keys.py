"""The keys of the configuration file, in CraneSched's manner: what each sets, and how its value is read.

Spans of time at the top level are seconds or have units (``30``, ``5m``); a partition's limits are job time limits and
follow their grammar, where a bare number is minutes. Memory without a unit is MB.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml

from crane_celery.grammar._lex import quote
from crane_celery.grammar.duration import compound, parse_duration
from crane_celery.grammar.gres import parse_gres
from crane_celery.grammar.hostlist import MAX_OWN_NAMES, expand
from crane_celery.grammar.licenses import parse_licenses
from crane_celery.grammar.memory import parse_memory
from crane_celery.grammar.names import did_you_mean
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.model.weights import Draining, Priority
from crane_celery.settings.model import Hooks
from crane_celery.settings.place import fits
from crane_celery.settings.reader import Value

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_MAX_CPUS = 2**16
_MAX_INDEX = 2**31
#: seconds, some 31 years
_MAX_SPAN_S = 10**9
#: what Cgroup may be
DRIVERS = ("auto", "v2", "v1", "none")


class Key(NamedTuple):
    """One key: the field it sets, and the reader of its value (raises ConfigError)."""

    field: str
    reader: Callable[[Value], Any]


def _seconds(value: Value, low: int = 0) -> float:
    """A span, written in seconds or with units; a node's own timers take no longer ones (workers.shepherd.decode)."""
    spelled = compound(value.text().lower())
    if spelled is None:
        return float(value.whole(low, _MAX_SPAN_S))
    if not low <= spelled <= _MAX_SPAN_S:
        value.fail(f"{quote(value.text())} is no span from {low} to {_MAX_SPAN_S} seconds")
    return float(spelled)


def _memory(value: Value) -> int:
    return value.parsed(parse_memory)


def _some_memory(value: Value) -> int:
    """Of a node: one without any would take no job."""
    return _memory(value) or value.fail(f"{quote(value.text())} is no memory to run jobs in: write such as 64G")


def _limit(value: Value) -> int | None:
    return value.parsed(parse_duration)


def _name(value: Value) -> str:
    if not _NAME.fullmatch(value.text()):
        value.fail(f"{value.text()!r}: use up to 32 letters, digits, '_' and '-', a letter or digit first")
    return value.text()


def _path(value: Value) -> str:
    return value.word() if value.word().startswith("/") else value.fail(f"{value.text()!r}: write an absolute path")


def _run_dir(value: Value) -> str:
    """Part of socket paths, of a URL and of command lines: short and plain."""
    path = _path(value)
    if not fits(path):
        value.fail(f"{path!r}: write a short path of letters, digits, '_', '-' and '.'")
    return path.rstrip("/")


def _url(value: Value) -> str:
    kinds = ("redis://", "rediss://", "unix://")
    url = value.word()
    if url.startswith("sentinel://"):
        value.fail(
            "sentinel:// is not supported, since a change of servers may lose what was acknowledged: name the server"
            " itself, with redis:// or rediss://"
        )
    if not url.startswith(kinds):
        value.fail(f"write a URL with one of {' '.join(kinds)}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        value.fail("the port of the URL is none: write a number from 1 to 65535, as in redis://host:6379/0")
    if url.startswith("unix:") and (parts.netloc or not parts.path.startswith("/")):
        value.fail("write the whole path of the socket, as in unix:///run/redis/server.sock?db=0")
    if not url.startswith("unix:") and not re.fullmatch(r"/?|/[0-9]+", parts.path, re.ASCII):
        value.fail("write the number of the database behind the host, as in redis://host:6379/0")
    return url


def _history_url(value: Value) -> str:
    return (
        value.word() if "://" in value.word() else value.fail("write a URL such as sqlite:////path or postgresql://..")
    )


def _driver(value: Value) -> str:
    if value.text() not in DRIVERS:
        value.fail(f"{value.text()!r} is none of {' '.join(DRIVERS)}{did_you_mean(value.text(), DRIVERS)}")
    return value.text()


def _words(value: Value) -> tuple[str, ...]:
    return tuple(each.word() for each in value.items())


#: what Private may name
PRIVATE = ("commands", "usage")


def _private(value: Value) -> tuple[str, ...]:
    """Kinds of what users see of their own jobs only; ``[]``: of all jobs."""
    return tuple(dict.fromkeys(_one_of(*PRIVATE)(each) for each in value.items()))


def _gres(value: Value) -> dict[str, int]:
    return {":".join(filter(None, key)): count for key, count in value.parsed(parse_gres).items()}


def _nodes(value: Value) -> dict[str, NodeSpec]:
    found: dict[str, NodeSpec] = {}
    for item in value.items():
        fields = item.mapping(_NODE_KEYS)
        for needed in ("name", "cpu", "memory"):
            if needed not in fields:
                item.fail(f"needs {needed}")
        spec = {_NODE_KEYS[key].field: _NODE_KEYS[key].reader(each) for key, each in fields.items()}
        for name in spec.pop("names"):
            if name in found:
                fields["name"].fail(f"node {name!r} is defined twice")
            found[name] = NodeSpec(name=name, **spec)
    return found


def _hosts(text: str) -> list[str]:
    """Return the names of a host list that an administrator wrote."""
    return expand(text, MAX_OWN_NAMES)


def _node_names(value: Value) -> list[str]:
    names = value.parsed(_hosts)
    wrong = next((name for name in names if not _NODE_NAME.fullmatch(name)), None)
    if wrong is not None or not names:
        value.fail(f"{wrong or value.text()!r} is no node name: up to 32 letters, digits and '-', '_', '.'")
    return names


def _partitions(value: Value) -> list[tuple[Value, Partition]]:
    """Partitions as written, nodes not yet compared with the cluster's (the key may stand before ``Nodes``)."""
    found = []
    for item in value.items() or value.fail("define one partition at least, or leave the key out"):
        fields = item.mapping(_PARTITION_KEYS)
        if "name" not in fields:
            item.fail("needs name")
        spec = {_PARTITION_KEYS[key].field: _PARTITION_KEYS[key].reader(each) for key, each in fields.items()}
        found.append((fields.get("nodes", item), Partition(**{"nodes": ("ALL",), **spec})))
    return found


def resolve(raw: list[tuple[Value, Partition]], nodes: dict[str, NodeSpec]) -> dict[str, Partition]:
    """Partitions by name with ``ALL`` spelled out. Raises ConfigError for an unknown node or a second definition."""
    found: dict[str, Partition] = {}
    for value, each in raw:
        if each.name in found:
            value.fail(f"partition {each.name!r} is defined twice")
        names = tuple(nodes) if each.nodes == ("ALL",) else each.nodes
        wrong = next((name for name in names if name not in nodes), None)
        if wrong is not None:
            value.fail(f"no node {wrong!r} is defined{did_you_mean(wrong, nodes)}")
        found[each.name] = replace(each, nodes=names)
    return found


def _cpus(value: Value) -> float:
    return float(value.whole(1, _MAX_CPUS))


def _count(value: Value) -> int:
    """A limit; 0 = none."""
    return value.whole(0, _MAX_INDEX)


def _devices(value: Value) -> dict[str, list[str]]:
    """Device files by resource, one for each slot: ``{gpu: [/dev/nvidia0, /dev/nvidia1]}``."""
    if not isinstance(value.node, yaml.MappingNode):
        value.fail("write 'gpu: [/dev/nvidia0, /dev/nvidia1]' lines")
    found = {}
    for key, node in value.node.value:
        files = Value(node, value.file, f"{value.key}.{key.value}").items()
        found[str(key.value)] = [_path(each) for each in files]
    return found


def _licenses(value: Value) -> dict[str, int]:
    """``matlab:2,ansys:10``."""
    request = value.parsed(parse_licenses)
    if request.any_of:
        value.fail("join them with ','")
    return {each.name: each.number for each in request.items}


def _one_of(*choices: str) -> Callable[[Value], str]:
    def read(value: Value) -> str:
        if value.text() not in choices:
            value.fail(f"{value.text()!r} is none of {', '.join(choices)}{did_you_mean(value.text(), choices)}")
        return value.text()

    return read


def _group(keys: "dict[str, Key]", make: Callable[..., Any]) -> Callable[[Value], Any]:
    """A mapping of keys of its own, as one record."""

    def read(value: Value) -> Any:
        fields = value.mapping(keys)
        found = {keys[key].field: keys[key].reader(each) for key, each in fields.items()}
        found.pop("", None)
        return make(**found)

    return read


def _no_weight(why: str) -> Callable[[Value], None]:
    """Return the reader of a weight of CraneSched's that could do nothing here: it refuses any but 0."""

    def read(value: Value) -> None:
        if _count(value):
            value.fail(f"this weight would do nothing: {why}; leave the key out")

    return read


_PRIORITY_KEYS = {
    "Type": Key("kind", _one_of("multifactor", "basic")),
    "WeightAge": Key("age", _count),
    "WeightFairShare": Key("fair_share", _count),
    "WeightJobSize": Key("size", _count),
    "WeightPartition": Key("", _no_weight("jobs of partitions with a higher Priority come first anyway")),
    "WeightQoS": Key("", _no_weight("this version has no qualities of service")),
    "FavorSmall": Key("favor_small", Value.boolean),
    "MaxAge": Key("max_age_s", _seconds),
    "HalfLife": Key("half_life_s", _seconds),
}

_DRAINING_KEYS = {
    "Jobs": Key("jobs", _count),
    "Share": Key("share", lambda value: value.whole(1, 100)),
    "Patience": Key("patience", _count),
    "Beyond": Key("beyond_s", _seconds),
}

_HOOK_KEYS = {
    "Prolog": Key("prolog", _path),
    "Epilog": Key("epilog", _path),
    "TaskProlog": Key("task_prolog", _path),
    "TaskEpilog": Key("task_epilog", _path),
    "PrologTimeout": Key("prolog_timeout_s", _seconds),
    "EpilogTimeout": Key("epilog_timeout_s", _seconds),
}

_NODE_KEYS = {
    "name": Key("names", _node_names),
    "cpu": Key("cpus", _cpus),
    "memory": Key("memory", _some_memory),
    "gres": Key("gres", _gres),
    "features": Key("features", _words),
    "tmp": Key("tmp", _memory),
    "devices": Key("devices", _devices),
}

_PARTITION_KEYS = {
    "name": Key("name", _name),
    "nodes": Key("nodes", lambda value: tuple(value.parsed(_hosts))),
    "priority": Key("priority", Value.whole),
    "DefaultTime": Key("default_time", _limit),
    "MaxTime": Key("max_time", _limit),
    "DefaultMemPerCpu": Key("default_memory_per_cpu", _memory),
    "DefaultMemPerNode": Key("default_memory_per_node", _memory),
    "MaxMemPerCpu": Key("max_memory_per_cpu", _memory),
    "MaxSubmitJobs": Key("max_submit_jobs", _count),
    "MaxJobs": Key("max_jobs", _count),
    "MaxArrayCount": Key("max_array_count", _count),
    "MaxMemPerNode": Key("max_memory_per_node", _memory),
}

#: every key of the file
KEYS = {
    "ClusterName": Key("cluster", _name),
    "CraneBaseDir": Key("home", _path),
    "RunDir": Key("run_dir", _run_dir),
    "ServerUrl": Key("server_url", _url),
    "HistoryUrl": Key("history_url", _history_url),
    "AllowRoot": Key("allow_root", Value.boolean),
    "Operators": Key("operators", _words),
    "Private": Key("private", _private),
    "Nodes": Key("nodes", _nodes),
    "Partitions": Key("partitions", _partitions),
    "DefaultPartition": Key("default_partition", Value.word),
    "MaxArraySize": Key("max_array_size", lambda value: value.whole(1, _MAX_INDEX)),
    "MaxArrayCount": Key("max_array_count", lambda value: value.whole(1, _MAX_INDEX)),
    "NodeTimeout": Key("node_timeout_s", lambda value: _seconds(value, 1)),
    "KillGrace": Key("kill_grace_s", _seconds),
    "Signing": Key("signing", Value.boolean),
    "Cgroup": Key("cgroup", _driver),
    "FavorDynMods": Key("dynmods", Value.boolean),
    "Window": Key("window_s", _seconds),
    "MinFreeSpace": Key("min_free_bytes", _memory),
    "MinFreeMemory": Key("min_free_memory", _memory),
    "EnableSlurmCompatibleEnv": Key("slurm_env", Value.boolean),
    "MaxSubmitJobs": Key("max_submit_jobs", _count),
    "MaxSubmitBytes": Key("max_submit_bytes", _memory),
    "MaxJobs": Key("max_jobs", _count),
    "JobRequeue": Key("job_requeue", Value.boolean),
    "MaxRequeueCount": Key("max_requeue", _count),
    "KillInvalidDepend": Key("kill_invalid_depend", Value.boolean),
    "InvalidDependGrace": Key("invalid_depend_grace_s", _seconds),
    "ArrayDependency": Key("array_dependency", _one_of("all", "last")),
    "Licenses": Key("licenses", _licenses),
    "Priority": Key("priority", _group(_PRIORITY_KEYS, Priority)),
    "Draining": Key("draining", _group(_DRAINING_KEYS, Draining)),
    "JobLifecycleHook": Key("hooks", _group(_HOOK_KEYS, Hooks)),
    "Schedulers": Key("schedulers", lambda value: value.whole(1, 9)),
}
