"""The judge of dependencies against a plain reading of the rules, over histories of any kind and order.

The reading (job-dependency.txt): a condition comes true, or never will, by what its jobs have done; ``:`` and ``,``
mean all, ``?`` means any; each delay counts from the moment its own condition came true.
"""

from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.model.dependency import Block, Facts, Resolved, decode, encode, judge, undecided
from crane_celery.model.job import NEVER, WAITING

KINDS = ("after", "afterok", "afternotok", "afterany", "afterexcept")
JOBS = 4


class Change(NamedTuple):
    """A job begins, or ends."""

    at: float
    job: int
    what: str  # began ok bad lost gone (cancelled while it waited)


class Seen(NamedTuple):
    """Record of what a job has done so far: the moments, 0 = not yet."""

    began: float = 0.0
    ended: float = 0.0
    how: str = ""


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Each job begins and ends, or not yet, in any order."""
    todo = {job: draw(st.sampled_from(["", "began", "ok", "bad", "lost", "gone"])) for job in range(1, JOBS + 1)}
    steps = [job for job, what in todo.items() for _ in range({"": 0, "began": 1, "gone": 1}.get(what, 2))]
    found: list[Change] = []
    for at, job in enumerate(draw(st.permutations(steps)), 1):
        first = todo[job] != "gone" and job not in [each.job for each in found]
        found.append(Change(at * 10.0, job, "began" if first else todo[job]))
    return found


blocks = st.builds(
    lambda kind, job, delay: Block(kind, job, job, 1, delay, f"{kind}:{job}"),
    st.sampled_from(KINDS),
    st.integers(1, JOBS),
    st.sampled_from([0, 0, 5, 1000]),
)
dependencies = st.builds(
    lambda any_of, groups: Resolved(any_of, tuple(map(tuple, groups))),
    st.booleans(),
    st.lists(st.lists(blocks, min_size=1, max_size=3), min_size=1, max_size=3),
)


def seen(changes: Iterable[Change]) -> dict[int, Seen]:
    """Return what each job has done after these changes."""
    known = dict.fromkeys(range(1, JOBS + 1), Seen())
    for at, job, what in changes:
        known[job] = Seen(known[job].began or at, known[job].ended if what == "began" else at, what)
    return known


def facts(block: Block, known: Seen) -> Facts:
    """The same, as the store tells it."""
    at = known.began if block.kind == "after" else known.ended or known.began
    return Facts(int(known.began > 0), int(known.ended > 0), int(known.how == "ok"), at, int(known.how == "lost"))


def reading(block: Block, known: Seen) -> float:
    """When a condition's delay is over, WAITING or NEVER, read off the rules."""
    if block.kind == "after":
        return known.began + block.delay if known.began else WAITING
    if not known.ended:
        return WAITING
    wanted = {
        "afterok": known.how == "ok",
        "afternotok": known.how != "ok",
        "afterany": True,
        "afterexcept": known.how == "lost",
    }[block.kind]
    return known.ended + block.delay if wanted else NEVER


def all_of(times: list[float]) -> float:
    """AND of conditions."""
    return NEVER if NEVER in times else WAITING if WAITING in times else max(times)


def any_of(times: list[float]) -> float:
    """OR of clauses."""
    true = [each for each in times if each >= 0]
    return min(true) if true else WAITING if WAITING in times else NEVER


def expected(dep: Resolved, known: dict[int, Seen]) -> float:
    """The plain reading of a whole expression."""
    groups = [all_of([reading(block, known[block.job]) for block in group]) for group in dep.groups]
    return any_of(groups) if dep.any_of else all_of(groups)


@settings(deadline=None, max_examples=400)
@given(dependencies, histories())
def test_a_verdict_is_the_plain_reading_of_the_rules(dep: Resolved, history: list[Change]) -> None:
    known = seen(history)
    verdict = judge(dep, {block: facts(block, known[block.job]) for group in dep.groups for block in group})
    assert verdict.ready == expected(dep, known)
    assert decode(encode(verdict.dep)) == verdict.dep


@settings(deadline=None, max_examples=400)
@given(dependencies, histories())
def test_judged_after_every_change_or_once_is_the_same(dep: Resolved, history: list[Change]) -> None:
    """And what has been decided needs no more judging, whatever happens afterwards."""
    stamped, decided = dep, None
    for number in range(len(history) + 1):
        known, now = seen(history[:number]), number * 10.0
        asked = {block: facts(block, known[block.job]) for group in stamped.groups for block in group}
        verdict = judge(stamped, asked)
        stamped = verdict.dep
        assert verdict.ready == expected(dep, known)
        if decided is not None:
            assert verdict.ready == decided
        elif not undecided(encode(stamped), verdict.ready, now, ""):
            decided = verdict.ready
