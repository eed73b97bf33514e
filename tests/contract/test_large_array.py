"""The verbs of arrays on one of 100,000 elements, in the worst shapes: none blocks the server for long."""

from collections.abc import Iterator

import pytest

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.job import Allocation
from crane_celery.model.node import NodeState
from crane_celery.store.api import Answer, Began, Ended, Forgotten, Report, Requeue, Start, Submission
from crane_celery.store.redis import RedisStore, leader
from tests.contract.world import World, needs, node, spec
from tests.support.server import Server
from tests.support.slow import Slow

COUNT, RUN = 100_000, 6_000
#: starts that the leader commits at once
CHUNK = 128
EVEN, ODD, ALL = (RangeSet.stride(low, COUNT - 1, step).text for low, step in ((0, 2), (1, 2), (0, 1)))
_ALLOCATION = (Allocation(node="n1", cpus=1.0, memory=1 << 20),)


class Watched:
    """A store on a server whose log of slow commands is looked at after every step."""

    def __init__(self, server: Server) -> None:
        self.world = World(RedisStore(server.url, "{large}"))
        self.slow = Slow(server, self.store)
        self.job = self.world.submit(COUNT)

    @property
    def store(self) -> RedisStore:
        """The store."""
        assert isinstance(self.world.store, RedisStore)
        return self.world.store

    def start(self, ranks: range, run: int = 1) -> None:
        """Commit starts as the leader does."""
        for at in ranks[::CHUNK]:
            some = [Start(self.job, rank, run, _ALLOCATION) for rank in range(at, min(at + CHUNK, ranks.stop))]
            assert set(self.store.start(self.world.fence, some)) == {""}
            self.slow.look()

    def end(self, ranks: range, run: int = 1) -> None:
        """One report that all of them began and ended."""
        ids = [self.job + rank for rank in ranks]
        ended = [Ended(id_, run, "Completed", 0, 0.0, 0.0) for id_ in ids]
        self.store.report("n1", self.world.epoch, Report([Began(id_, run, 0.0) for id_ in ids], ended))
        self.slow.look()

    def check(self) -> None:
        """No command was slow."""
        self.slow.look()
        assert self.slow.found == []


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Server() as server:
        made = Watched(server)
        yield made
        made.store.close()


def test_alternating_elements_are_changed_in_short_steps(watched: Watched) -> None:
    store, job = watched.store, watched.job
    for ranks in (EVEN, ODD):
        store.hold(job, ranks, True)
        watched.slow.look()
    for ranks in (EVEN, ALL):
        store.hold(job, ranks, False)
        watched.slow.look()
    for ranks, name in ((EVEN, "even"), (ODD, "odd"), (ALL, "both")):
        store.update(job, ranks, {"name": name})
        watched.slow.look()
    store.hold(job, EVEN, True)
    assert store.expire(watched.world.fence, job, ODD, "Deadline", 327, "deadline reached") == COUNT // 2
    watched.slow.look()
    store.snapshot()
    assert store.cancel(job, EVEN, 0).pending == COUNT // 2
    watched.check()


def test_a_node_tells_of_thousands_of_runs_in_short_steps(watched: Watched) -> None:
    watched.start(range(RUN))
    watched.end(range(RUN))
    watched.check()


def test_thousands_of_runs_are_stopped_and_run_again_in_short_steps(watched: Watched) -> None:
    watched.start(range(RUN))
    watched.end(range(RUN // 2))
    done = watched.store.requeue(watched.job, "")
    assert (done.ended, len(done.running)) == (RUN // 2, RUN // 2)
    watched.slow.look()
    assert len(watched.store.cancel(watched.job, "", 0).running) == RUN // 2
    watched.slow.look()
    assert len(watched.store.elements()) == RUN // 2
    watched.check()


def test_what_never_ran_is_requeued_in_short_steps(watched: Watched) -> None:
    """Every second element, then all: none has a record."""
    store, job = watched.store, watched.job
    dep = needs("aftercorr", job, job, COUNT)
    [follower] = store.submit([Submission(spec(f"0-{COUNT - 1}"), COUNT, b"", dep)], [""])
    store.expire(watched.world.fence, job, ODD, "Deadline", 330, "deadline reached")
    store.cancel(job, "", 0)
    judged(watched.world, watched.slow)
    assert store.requeue(job, ODD) == (COUNT // 2, COUNT // 2, [])
    watched.slow.look()
    found = store.job(job)
    assert found and (found.worst_state, found.worst_code, found.gone) == ("Cancelled", 320, COUNT // 2)
    judged(watched.world, watched.slow)
    waiting = store.job(follower)
    assert waiting and (waiting.corr, waiting.dead) == (ODD, EVEN)
    assert store.requeue(job, "", Requeue(completed=False)).never == COUNT // 2
    watched.slow.look()
    assert store.ended_bits(job, COUNT) == (0, 0)
    watched.check()


def judged(world: World, slow: Slow) -> None:
    """Judge all that is asked, as the leader does."""
    while asked := world.store.questions(world.fence, 200):
        slow.look()
        verdicts = [(q.job, *judge(decode(q.dep), dict(q.facts))) for q in asked]
        world.store.judge(world.fence, [Answer(job, encode(dep), *rest) for job, dep, *rest in verdicts])
        slow.look()


def test_a_node_with_thousands_of_runs_is_written_off_in_short_steps(watched: Watched) -> None:
    watched.start(range(RUN))
    assert len(watched.store.lose(watched.world.fence, "n1", "silent")) == RUN
    found = watched.store.node("n1")
    assert found is not None and (found.state, found.epoch) == (NodeState.DOWN, watched.world.epoch + 1)
    watched.check()


def test_a_node_that_booted_anew_loses_thousands_of_runs_in_short_steps(watched: Watched) -> None:
    watched.start(range(RUN))
    again = watched.store.register(node(), "host", "none", "1", "boot-2")
    assert (again.epoch, again.live) == (watched.world.epoch + 1, [])
    assert watched.store.ended_bits(watched.job, COUNT) == (RUN, 0)
    watched.check()


def test_a_long_array_is_forgotten_in_short_steps(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.start(range(RUN))
    watched.end(range(RUN))
    watched.store.cancel(watched.job, "", 0)
    watched.store.set_cursor("recorder", watched.store.last_event())
    watched.slow.look()
    monkeypatch.setattr(leader, "FORGET", 1)
    for expected in (Forgotten(0, True), Forgotten(1, False)):
        assert watched.store.forget(watched.world.fence, watched.store.now() + 1, 200) == expected
        watched.slow.look()
    assert watched.store.elements([watched.job, watched.job + RUN - 1]) == []
    watched.check()
