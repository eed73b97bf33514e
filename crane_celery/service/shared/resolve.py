"""Dependencies as typed become blocks of plain ids (model.dependency): ids are looked up, element indexes become ranks.

An id that has left the store is taken from the history, else for one job; what was never given out is refused.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, Protocol

from crane_celery.errors import Denied, InputError, NotFound
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.dependency import Term, display_term, parse_dependency
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import target_text
from crane_celery.model.dependency import Block, Resolved, blocks_of
from crane_celery.model.job import Job
from crane_celery.store.api import JobStore

#: blocks of one dependency: each is looked at in one script, and the server is not to be blocked over 50 ms
MAX_BLOCKS = 1000


class Lookup(Protocol):
    """Protocol of what resolving has to ask of the store."""

    def job(self, job: int) -> Job | None:
        """One submission by its id."""

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""

    def known(self, id: int) -> bool:
        """Return whether this id was ever given out."""


class Past(Protocol):
    """Protocol of what resolving asks of the history about ids that left the store."""

    def array_of(self, job: int) -> str:
        """The index text of an ended array, "" for a plain job or when unknown."""


class Dependant(NamedTuple):
    """Whose dependency is resolved."""

    uid: int
    array: str = ""  # index text, "" for a plain job
    #: afterok and afternotok of a whole array are judged by the element that ends last
    last: bool = False


def resolve(text: str, store: Lookup, past: Past, of: Dependant) -> Resolved:
    """The blocks of a dependency. Raises InputError (malformed, too many, or a job twice), NotFound, Denied.

    Cost: one look-up for each id named.
    """
    parsed = parse_dependency(text)
    seen = RangeSet()
    groups = []
    for clause in parsed.clauses:
        group: list[Block] = []
        for term in clause.terms:
            blocks = list(islice(_blocks(term, store, past, of), MAX_BLOCKS + 1))
            ids = RangeSet((block.first, block.first + block.count - 1) for block in blocks if block.count)
            if seen & ids:
                raise InputError(
                    f"duplicate job {target_text(term.job, term.part)} in dependency {text[:200]!r}:"
                    " it is named twice, by its own id and as an element; name it once"
                )
            seen |= ids
            group += blocks
        groups.append(tuple(group))
        if sum(map(len, groups)) > MAX_BLOCKS:
            raise InputError(
                f"the dependency names more than {MAX_BLOCKS} jobs or ranges of elements one by one: name whole arrays,"
                " or a job between that waits for some of them"
            )
    return Resolved(parsed.any_of, tuple(groups))


def _blocks(term: Term, store: Lookup, past: Past, of: Dependant) -> Iterator[Block]:
    """One term: a block for each contiguous range of its ids."""
    if term.kind == "singleton":
        yield Block(term.kind, 0, 0, 0, 0, term.kind)
        return
    shown, kind = display_term(term), term.kind
    job, first, ranks, array = _ids(term, store, past)
    if kind == "expand":
        _own(term, len(ranks), store, of)
    if kind == "aftercorr":
        if of.array and array:
            yield _by_index(term, first, len(ranks), array, of)
            return
        kind = "afterok"
    last = of.last and bool(array) and not term.part and kind in ("afterok", "afternotok")
    for low, high in ranks.spans():
        yield Block(kind, job, first + low, high - low + 1, term.delay, shown, last=last)


def _by_index(term: Term, first: int, count: int, array: str, of: Dependant) -> Block:
    """Element by element: the index texts are kept only where they differ."""
    if term.part or term.delay:
        raise InputError(
            f"{display_term(term)}: aftercorr names a whole array, without a delay; write aftercorr:{first}"
        )
    differ = IndexSet.parse(array) != IndexSet.parse(of.array)
    texts = (array, of.array) if differ else ("", "")
    return Block(term.kind, first, first, count, 0, f"aftercorr:{first}_*", 0.0, *texts)


def _own(term: Term, count: int, store: Lookup, of: Dependant) -> None:
    """``expand`` names one job of the same user."""
    owner = store.find(term.job)
    if count != 1:
        raise InputError(f"{display_term(term)}: expand names one job or one element")
    if owner is not None and owner.spec.uid != of.uid:
        raise Denied(f"job {term.job} is not yours: expand only your own")


def _ids(term: Term, store: Lookup, past: Past) -> tuple[int, int, RangeSet, str]:
    """(submission, its first id, ranks, index text) that a term speaks of."""
    job = store.job(term.job)
    array, count = (job.spec.array, job.count) if job else ("", 1)
    if job is None:
        owner = store.find(term.job)
        if owner is not None and not term.part:
            return owner.id, term.job, RangeSet.span(0, 0), ""
        if owner is not None:
            whole = target_text(owner.id, term.part)
            raise NotFound(f"job {term.job} is an element of array {owner.id}: write {whole}")
        if not store.known(term.job):
            raise NotFound(f"dependency on job {term.job}, which does not exist")
        array = past.array_of(term.job)
        count = len(IndexSet.parse(array)) if array else 1
    if not term.part:
        return term.job, term.job, RangeSet.span(0, count - 1), array
    return term.job, term.job, element_ranks(term.job, array, term.part), array


def element_ranks(job: int, array: str, part: str) -> RangeSet:
    """The ranks of ``job_part``. Raises NotFound where the job is no array, or has no such elements."""
    if not array:
        raise NotFound(f"job {job} is no array: write {job} without elements")
    ranks = IndexSet.parse(array).ranks_of(part)
    if len(ranks) < len(IndexSet.parse(part)):
        raise NotFound(f"array {job} has no such element {target_text(job, part)[:80]}: its indexes are {array[:80]}")
    return ranks


def refuse_circle(job: int, dep: str, store: JobStore) -> None:
    """Raise InputError when a job would wait for itself, however far away: it could never start.

    Two changes at one moment may still close one: whoever changed looks again. Cost: a read of each that is waited for,
    directly or not.
    """
    came_from = {block.job: job for block in blocks_of(dep) if block.job and not block.fired_at}
    level = list(came_from)
    while level and job not in came_from:
        below: list[int] = []
        for waiter in store.jobs(level):
            for block in blocks_of(waiter.dep) if waiter.pending else ():
                if block.job and not block.fired_at and block.job not in came_from:
                    came_from[block.job] = waiter.id
                    below.append(block.job)
        level = below
    if job in came_from:
        path = [job]
        while len(path) < 2 or path[-1] != job:
            path.append(came_from[path[-1]])
        shown = [str(each) for each in reversed(path)]
        text = " -> ".join(shown if len(shown) < 8 else [*shown[:4], "...", *shown[-2:]])
        raise InputError(f"job {job} would wait for itself ({text}): name jobs that do not wait for it")
