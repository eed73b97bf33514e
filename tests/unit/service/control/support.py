"""Define what tests of control share: a change, and what became of it."""

from crane_celery.grammar.selector import parse_selectors
from crane_celery.model.job import Job
from crane_celery.model.overrides import spec_of
from crane_celery.service.control.cancel import Outcome
from crane_celery.service.shared.caller import Caller
from tests.unit.service.submit.test_accept import ALICE
from tests.unit.service.support import Cluster


def update(cluster: Cluster, ids: object, caller: Caller = ALICE, **wanted: str) -> Outcome:
    """Change jobs as somebody."""
    return cluster.service.control.update(caller, parse_selectors(str(ids)), wanted, "+0000")


def record(cluster: Cluster, job: int) -> Job:
    """A submission that is there."""
    found = cluster.store.job(job)
    assert found
    return found


def of(cluster: Cluster, job: int, rank: int, name: str) -> object:
    """A field in force for one rank."""
    found = record(cluster, job)
    return getattr(spec_of(found.spec, found.changes, rank), name)
