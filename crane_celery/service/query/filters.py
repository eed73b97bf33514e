"""Conditions of listings and of cancelling by property; pure. All must hold, within one any of its values."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from crane_celery.errors import InputError
from crane_celery.grammar.licenses import parse_licenses
from crane_celery.grammar.names import did_you_mean
from crane_celery.model.fields.table import equal
from crane_celery.model.job import Job, JobSpec
from crane_celery.model.states import State

#: names and letters of states, in lower case without ``-`` and ``_``: ours, those of our headings, and Slurm's
_WORDS = {
    State.PENDING: "p pd",
    State.STARTING: "configuring cf",
    State.RUNNING: "r",
    State.SUSPENDED: "s",
    State.COMPLETING: "cg",
    State.COMPLETED: "c cd",
    State.FAILED: "f",
    State.CANCELLED: "x ca canceled",
    State.TIMEOUT: "t timelimitexceeded tle timeout to",
    State.OOM: "o oom",
    State.DEADLINE: "deadlined dl",
}
_STATES = {word: state for state, words in _WORDS.items() for word in (state.value.lower(), *words.split())}
#: what "running" means to people: it has its nodes
_ALSO = {State.RUNNING: (State.STARTING, State.COMPLETING)}


#: reference/cranesched.md section 2.1
KINDS = ("Interactive", "Batch", "Container")
#: conditions on one field, each with the field's name
_EQUAL = equal()


class Asked(NamedTuple):
    """Record of what conditions look at in what was asked for; a specification has it, and a row."""

    name: str
    user: str
    uid: int
    partition: str
    account: str
    qos: str
    kind: str
    licenses: str


class Filters(NamedTuple):
    """Empty = no condition."""

    names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    uids: tuple[int, ...] = ()
    partitions: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    states: frozenset[State] = frozenset()
    #: kinds of jobs, such as Batch, and names of licences
    kinds: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()

    @property
    def of_jobs(self) -> bool:
        """Return whether any condition concerns whole submissions."""
        return self._replace(nodes=(), states=frozenset()) != Filters()

    @property
    def pending(self) -> bool:
        """Return whether what waits passes the conditions on state and nodes."""
        return (not self.states or State.PENDING in self.states) and not self.nodes

    def job(self, job: Job) -> bool:
        """Return whether a submission, or some part of it that was changed since, may pass: ``row`` decides of
        those."""
        return bool(job.changes) or not self.of_jobs or self.spec(job.spec)

    def spec(self, spec: Asked | JobSpec) -> bool:
        """Return whether what was asked for passes."""
        return (
            all(not (values := getattr(self, name)) or getattr(spec, key) in values for name, key in _EQUAL)
            and (not (self.users or self.uids) or spec.user in self.users or spec.uid in self.uids)
            and (not self.licenses or any(name in self.licenses for name in license_names(spec.licenses)))
        )

    def row(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row passes all conditions."""
        return (
            (not self.states or State(row["state"]) in self.states)
            and (not self.nodes or any(node in self.nodes for node in row["nodelist"]))
            and (not self.of_jobs or self.spec(Asked(*(row[key] for key in Asked._fields))))
        )


def license_names(text: str) -> list[str]:
    """The names in a canonical ``--licenses`` value."""
    return [item.name for item in parse_licenses(text).items] if text else []


def parse_kinds(words: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds of jobs, case ignored. Raises InputError."""
    known = {kind.lower(): kind for kind in KINDS}
    for word in words:
        if word.lower() not in known:
            hint = did_you_mean(word, KINDS) or f": there are {', '.join(KINDS)}"
            raise InputError(f"unknown type of job {word[:60]!r}{hint}")
    return tuple(known[word.lower()] for word in words)


def parse_states(words: tuple[str, ...]) -> frozenset[State]:
    """States by name or letter, case ignored; ``all`` (or none) is no condition. Raises InputError."""
    found: set[State] = set()
    for word in words:
        lower = word.strip().lower().replace("-", "").replace("_", "")
        if lower == "all":
            return frozenset()
        if lower not in _STATES:
            hint = (
                did_you_mean(word, (*_STATES, "all")) or f": there are {', '.join(each.value for each in State)}, all"
            )
            raise InputError(f"unknown state {word[:60]!r}{hint}")
        state = _STATES[lower]
        found |= {state, *_ALSO.get(state, ())}
    return frozenset(found)
