"""``--test-only``: when and where a submission would start, of which nothing is stored."""

from collections.abc import Callable

from crane_celery.grammar.hostlist import compress
from crane_celery.grammar.ranges import RangeSet
from crane_celery.history.rows import Row
from crane_celery.model.job import WAITING, Job
from crane_celery.model.states import Reason
from crane_celery.service.query.explain import reason_text
from crane_celery.service.query.forecast import Seen
from crane_celery.store.api import Submission

#: id of a job that does not exist: behind all that do
NOBODY = 1 << 60


def dry_run(wanted: Submission, notices: list[str], now: float, see: Callable[[Job, float], Seen]) -> Row:
    """The answer: ``start`` 0 where nobody can say, with the reason. ``see``: a moment at which a job is there too."""
    everything = RangeSet.span(0, wanted.count - 1).text
    job = Job(
        id=NOBODY,
        spec=wanted.spec,
        count=wanted.count,
        submitted_at=now,
        pending=everything,
        held=everything if wanted.held else "",
        ready=WAITING if wanted.dep else 0.0,
        dep=wanted.dep,
        priority=wanted.priority,
    )
    seen = see(job, wanted.spec.begin)
    expected = seen.expected.get(NOBODY)
    answer: Row = {"start": 0.0, "nodes": "", "reason": "", "notices": notices}
    if wanted.held or wanted.dep:
        return answer | {"reason": str(Reason.HELD if wanted.held else Reason.DEPENDENCY)}
    if expected is None:
        return answer | {"reason": reason_text(seen, NOBODY)}
    return answer | {"start": expected.start, "nodes": compress(expected.nodes)}
