"""Dependencies as typed become blocks of plain ids (model.dependency): ids are looked up, element indexes become ranks.

An id that has left the store is taken from the history, else for one job; what was never given out is refused.
"""

from collections.abc import Iterator
from typing import Protocol

from crane_celery.errors import InputError, NotFound, NotSupported
from crane_celery.grammar.array import IndexSet
from crane_celery.grammar.dependency import Term, display_term, parse_dependency
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import target_text
from crane_celery.model.dependency import Block, Resolved
from crane_celery.model.job import Job

#: kinds that model.dependency can judge
JUDGED = frozenset({"after", "afterok", "afternotok", "afterany"})
#: blocks of one dependency: each is looked at in one script, and the server is not to be blocked over 50 ms
MAX_BLOCKS = 1000


class Lookup(Protocol):
    """What resolving has to ask of the store."""

    def job(self, job: int) -> Job | None:
        """One submission by its id."""

    def find(self, id: int) -> Job | None:
        """The submission that a plain id belongs to."""

    def known(self, id: int) -> bool:
        """Whether this id was ever given out."""


class Past(Protocol):
    """What resolving asks of the history about ids that left the store."""

    def array_of(self, job: int) -> str:
        """The index text of an ended array, "" for a plain job or when unknown."""


def resolve(text: str, store: Lookup, past: Past) -> Resolved:
    """The blocks of a dependency. Raises InputError (malformed, too many, or a job twice), NotFound, NotSupported.

    Cost: one look-up for each id named.
    """
    parsed = parse_dependency(text)
    seen = RangeSet()
    groups = []
    for clause in parsed.clauses:
        group: list[Block] = []
        for term in clause.terms:
            blocks = list(_blocks(term, store, past))
            ids = RangeSet((block.first, block.first + block.count - 1) for block in blocks)
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


def _blocks(term: Term, store: Lookup, past: Past) -> Iterator[Block]:
    """One term: a block for each contiguous range of its ids."""
    if term.kind not in JUDGED:
        raise NotSupported(f"dependency type {term.kind} is not supported yet: there are {' '.join(sorted(JUDGED))}")
    shown = display_term(term)
    job, first, ranks = _ids(term, store, past)
    for low, high in ranks.ranges:
        yield Block(term.kind, job, first + low, high - low + 1, term.delay, shown)


def _ids(term: Term, store: Lookup, past: Past) -> tuple[int, int, RangeSet]:
    """(submission, its first id, ranks) that a term speaks of."""
    job = store.job(term.job)
    array, count = (job.spec.array, job.count) if job else ("", 1)
    if job is None:
        owner = store.find(term.job)
        if owner is not None and not term.part:
            return owner.id, term.job, RangeSet.span(0, 0)
        if owner is not None:
            whole = target_text(owner.id, term.part)
            raise NotFound(f"job {term.job} is an element of array {owner.id}: write {whole}")
        if not store.known(term.job):
            raise NotFound(f"dependency on job {term.job}, which does not exist")
        array = past.array_of(term.job)
        count = len(IndexSet.parse(array)) if array else 1
    if not term.part:
        return term.job, term.job, RangeSet.span(0, count - 1)
    return term.job, term.job, element_ranks(term.job, array, term.part)


def element_ranks(job: int, array: str, part: str) -> RangeSet:
    """The ranks of ``job_part``. Raises NotFound where the job is no array, or has no such elements."""
    if not array:
        raise NotFound(f"job {job} is no array: write {job} without elements")
    ranks = IndexSet.parse(array).ranks_of(part)
    if len(ranks) < len(IndexSet.parse(part)):
        raise NotFound(f"array {job} has no such element {target_text(job, part)[:80]}: its indexes are {array[:80]}")
    return ranks
