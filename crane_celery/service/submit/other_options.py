"""A submission again with some other options: the rest stays as it was understood the first time. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from crane_celery.errors import InputError
from crane_celery.model.dependency import encode
from crane_celery.model.fields.table import FIELDS, setters
from crane_celery.model.job import JobSpec
from crane_celery.service.shared.caller import Caller
from crane_celery.service.submit.accept import Gate
from crane_celery.service.submit.option_reader import KNOWN, OF_NO_EFFECT
from crane_celery.service.submit.options import Meant, Offer, understand
from crane_celery.service.submit.request import JobRequest
from crane_celery.service.submit.retry import Changed

#: option -> the fields of a specification that it sets
_SETS = setters()
#: what belongs to the script, or says which elements there are
_FIXED = {field.key: field.fixed for field in FIELDS if field.fixed}


class Other(NamedTuple):
    """Record of what is to be different."""

    options: Mapping[str, Any]
    cwd: str = "/"
    tz: str = ""


def changed(spec: JobSpec, other: Other, caller: Caller, offer: Offer) -> Meant:
    """The specification with these options in place of its own. Raises InputError for one that cannot change, and what
    ``understand`` raises."""
    given = {name: value for name, value in other.options.items() if value is not None}
    for name in sorted(given.keys() & _FIXED.keys()):
        raise InputError(
            f"--{name.replace('_', '-')} cannot be changed when an array is submitted again: {_FIXED[name]}"
        )
    request = JobRequest({**_before(spec, given), **given}, "-", cwd=other.cwd, tz=other.tz)
    meant = understand(request, caller, offer, spec.body)
    names = {field for name in given.keys() & KNOWN for field in _SETS.get(name, ())}
    fields = {name: getattr(meant.spec, name) for name in names}
    if "extra" in fields and spec.extra:
        fields["extra"] = json.dumps(
            json.loads(spec.extra) | json.loads(fields["extra"] or "{}"), separators=(",", ":")
        )
    made = replace(spec, **fields)
    ignored = [f"--{name.replace('_', '-')}" for name in OF_NO_EFFECT if name in given]
    ours = ignored or given.keys() & {"nodes", "ntasks", "signal"}
    return Meant(made, 0, False, meant.notices if ours else ())


def with_other(spec: JobSpec, other: Other, caller: Caller, gate: Gate) -> Changed:
    """The same, checked against what the cluster has, its dependency looked up. Raises Infeasible and NotFound too."""
    meant = changed(spec, other, caller, gate.offer)
    gate.feasible(meant)
    text = meant.spec.dependency
    dep = encode(gate.resolve(text, spec.uid, spec.array)) if text else ""
    return Changed(meant.spec, dep, meant.notices)


def _before(spec: JobSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the new options are read beside: those of the first time, as text."""
    found: dict[str, Any] = {"job_name": spec.name, "cpus_per_task": f"{spec.cpus_per_task:.12g}"}
    found |= dict(_shape(spec, given))
    found["partition"] = spec.partition
    if not given.keys() & {"mem", "mem_per_cpu"}:
        found["mem"] = "0" if spec.whole_memory else f"{-(-spec.memory // 1024)}K"
    if given.keys() & {"partition", "deadline", "signal"}:
        found["time"] = f"{spec.time_limit}s" if spec.time_limit else "0"
    for name, value in (("nodelist", spec.nodelist), ("exclude", spec.exclude)):
        if value:
            found[name] = ",".join(value)
    if "array_max_fails" in given:
        found["array"] = "0"  # which elements there are is not said here
    if spec.constraint:
        found["constraint"] = spec.constraint
    return found


def _shape(spec: JobSpec, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Nodes and tasks; tasks that followed from the nodes follow from the new ones."""
    followed = spec.ntasks == spec.nodes * (spec.ntasks_per_node or 1)
    yield "nodes", str(spec.nodes)
    if not (followed and given.keys() & {"nodes", "ntasks_per_node"}):
        yield "ntasks", str(spec.ntasks)
    if spec.ntasks_per_node:
        yield "ntasks_per_node", str(spec.ntasks_per_node)
