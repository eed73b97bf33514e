"""A server whose clock is set, forward or back, on both stores: what had happened has happened all the same."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import pytest

from crane_celery.model.dependency import decode, encode, judge
from crane_celery.store import link
from crane_celery.store.api import Answer, Store
from crane_celery.store.memory import MemoryStore
from crane_celery.store.scripts import Script, script
from tests.contract.world import World, needs

HOUR_S = 3600.0
_CLOCK = "local TIME = call('TIME')"
_SETTABLE = f"{_CLOCK}; TIME[1] = TIME[1] + tonumber(call('GET', P .. ':ahead') or 0)"


def settable(verb: str) -> Script:
    """A verb's script by a clock that a test can set."""
    source = script(verb).source
    assert _CLOCK in source
    source = source.replace(_CLOCK, _SETTABLE)
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@pytest.fixture(params=["redis", "memory"])
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Callable[[float], None]]:
    """A store, and what sets its clock to so many seconds ahead."""
    if request.param == "memory":
        ahead = [0.0]
        return MemoryStore(lambda: time.time() + ahead[0]), lambda by: ahead.__setitem__(0, by)
    monkeypatch.setattr(link, "script", settable)
    store = request.getfixturevalue("redis_store")
    prefix = store.link._prefix
    real = store.now
    monkeypatch.setattr(store, "now", lambda: real() + float(store.link.do("GET", f"{prefix}:ahead") or 0))
    return store, lambda by: store.link.do("SET", f"{prefix}:ahead", int(by))


def judged(world: World) -> None:
    """Judge what is asked, as the leader does."""
    asked = world.store.questions(world.fence, 100)
    verdicts = [(q.job, judge(decode(q.dep), dict(q.facts))) for q in asked]
    world.store.judge(world.fence, [Answer(job, encode(v.dep), v.ready, v.corr, v.dead) for job, v in verdicts])


def test_what_was_ready_before_the_clock_was_set_back_starts(clock: tuple[Store, Callable[[float], None]]) -> None:
    store, ahead = clock
    world = World(store)
    first = world.submit()
    at_once, later = (world.submit(dep=needs("afterok", first, delay=delay)) for delay in (0, 60))
    world.run(first)
    judged(world)
    ahead(-HOUR_S)
    assert world.start(at_once) == [""]
    assert world.start(later) == ["not ready"]
    ahead(HOUR_S)
    assert world.start(later) == [""]


def test_a_lease_from_before_the_clock_was_set_back_is_asked_for(clock: tuple[Store, Callable[[float], None]]) -> None:
    store, ahead = clock
    world = World(store)
    job = world.submit()
    assert world.start(job) == [""]
    assert store.heartbeat("n1", world.epoch, 30.0).unanswered == []
    ahead(-HOUR_S)
    assert store.heartbeat("n1", world.epoch, 30.0).unanswered == [(job, 1)]
    world.begin(job)
    assert store.heartbeat("n1", world.epoch, 30.0).unanswered == []


@pytest.mark.parametrize("by_s", [-HOUR_S, HOUR_S])
def test_what_a_node_reports_is_never_stamped_in_the_future(
    clock: tuple[Store, Callable[[float], None]], by_s: float
) -> None:
    store, ahead = clock
    world = World(store)
    job = world.submit()
    world.start(job)
    world.begin(job)
    ahead(by_s)
    world.end(job)
    [element] = store.elements([job])
    assert element.ended_at <= store.now() and element.state == "Completed"
    shot = store.snapshot()
    assert abs(shot.now - store.now()) < 60
