"""Bodies: equal pieces are held once and go with the last that has them; what a user may have is bounded."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from crane_celery.errors import LimitReached
from crane_celery.store.api import Limits, Store, Submission
from crane_celery.store.api.jobs import NO_LIMITS
from crane_celery.store.bodies import SHARED, references
from crane_celery.store.memory import MemoryStore
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, spec
from tests.support.server import Server


def body(script: str, env: str = "") -> bytes:
    return json.dumps({"script": script, "env": {"A": env}, "umask": 18}, separators=(",", ":")).encode()


LARGE = "e" * (4 * SHARED)
SCRIPTS, ENVS = st.sampled_from(["a", "b", LARGE]), st.sampled_from(["", LARGE, "f" * SHARED])


def submit(
    store: Store, count: int = 1, script: str = "true", env: str = "", uid: int = 1000, limits: Limits = NO_LIMITS
) -> int:
    asked = replace(spec(f"0-{count - 1}" if count > 1 else ""), uid=uid, partition="main")
    return store.submit([Submission(asked, count, body(script, env), limits=limits)], [""])[0]


def forget(world: World) -> None:
    """Drop everything that is over."""
    world.store.set_cursor("recorder", world.store.last_event())
    while world.store.forget(world.fence, world.store.now() + 1, 100).more:
        pass


def test_a_body_is_read_as_it_was_submitted(store: Store) -> None:
    bodies = {
        submit(store, script=script, env=env): body(script, env)
        for script, env in (("a", "b"), ("a", LARGE), (LARGE, LARGE), ("b" * SHARED, LARGE), ("c", "\n"))
    }
    for _ in range(2):
        assert {id_: store.body(id_) for id_ in bodies} == bodies
    assert store.body(999) is None


def test_an_array_counts_once_and_until_its_last_element_ended(store: Store) -> None:
    world = World(store)
    two = Limits(jobs=2)
    array = submit(store, 1000, limits=two)
    job = submit(store, limits=two)
    with pytest.raises(LimitReached, match="MaxSubmitJobs of this cluster is 2"):
        submit(store, limits=two)
    assert submit(store, uid=1001, limits=two)
    with pytest.raises(LimitReached, match="MaxSubmitJobs of this partition is 1"):
        submit(store, limits=Limits(jobs_here=1))
    store.cancel(array, "1-999", 1000)
    with pytest.raises(LimitReached):
        submit(store, limits=two)
    world.start(array, 0)
    world.end(array)
    again = submit(store, limits=two)
    store.cancel_whole([again], 1000)
    last = submit(store, limits=two)
    with pytest.raises(LimitReached):
        submit(store, limits=two)
    assert store.requeue(array, "5").ended == 1
    store.cancel(job, "", 1000)
    with pytest.raises(LimitReached):
        submit(store, limits=two)
    store.cancel(last, "", 1000)
    assert submit(store, limits=two)


def test_a_batch_is_refused_whole(store: Store) -> None:
    asked = Submission(spec(), 1, b"x", limits=Limits(jobs=3))
    with pytest.raises(LimitReached):
        store.submit([asked] * 4, [""] * 4)
    assert len(store.submit([asked] * 3, [""] * 3)) == 3


def test_bytes_of_a_user_are_bounded_and_what_is_shared_counts_once(store: Store) -> None:
    world = World(store)
    most = Limits(bytes=3 * len(LARGE))
    jobs = [submit(store, env=LARGE, limits=most) for _ in range(5)]
    submit(store, env="f" * len(LARGE), limits=most)
    with pytest.raises(LimitReached, match="MaxSubmitBytes is"):
        submit(store, env="g" * len(LARGE), limits=most)
    submit(store, env="h" * len(LARGE), uid=1001, limits=most)
    assert submit(store, env="h" * len(LARGE), limits=most)  # brought by another user: it costs nothing
    for job in jobs[:4]:
        store.cancel(job, "", 1000)
    forget(world)
    with pytest.raises(LimitReached):
        submit(store, env="g" * len(LARGE), limits=most)
    store.cancel(jobs[4], "", 1000)
    forget(world)
    assert submit(store, env="g" * len(LARGE), limits=most)


def test_what_was_accepted_before_costs_nothing_again(store: Store) -> None:
    asked = Submission(spec(), 1, b"x" * 3000, limits=Limits(jobs=1, bytes=5000))
    first = store.submit([asked], ["key"])
    assert store.submit([asked], ["key"]) == first
    assert store.submit([asked, asked], ["key", "key"]) == first * 2


class Histories(RuleBasedStateMachine):
    """Submissions and removals in any order: no piece is missing, none is left, and the budgets are the twin's."""

    server: Server
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Histories.number += 1
        self.store = RedisStore(self.server.url, f"{{bodies{Histories.number}}}")
        self.twin = MemoryStore(self.store.now)
        self.worlds = World(self.store), World(self.twin)
        self.bodies: dict[int, bytes] = {}
        self.live: set[int] = set()

    @rule(
        batch=st.lists(
            st.tuples(
                st.sampled_from(["a", "b", LARGE]), st.sampled_from(["", LARGE, "f" * SHARED]), st.integers(1, 3)
            ),
            min_size=1,
            max_size=3,
        ),
        uid=st.sampled_from([1000, 1001]),
    )
    def submit(self, batch: list[tuple[str, str, int]], uid: int) -> None:
        asked = [
            Submission(replace(spec(f"0-{count - 1}" if count > 1 else ""), uid=uid), count, body(script, env))
            for script, env, count in batch
        ]
        ids, same = (each.submit(asked, [""] * len(asked)) for each in (self.store, self.twin))
        assert ids == same
        self.bodies.update(zip(ids, (each.body for each in asked), strict=True))
        self.live |= set(ids)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.live)))
        self.live.remove(id_)
        for each in (self.store, self.twin):
            each.cancel(id_, "", 1000)

    @rule()
    def forget(self) -> None:
        for world in self.worlds:
            forget(world)
        self.bodies = {id_: each for id_, each in self.bodies.items() if id_ in self.live}

    @invariant()
    def nothing_is_missing_and_nothing_left(self) -> None:
        keys, do = self.store.keys, self.store.link.do
        assert {id_: self.store.body(id_) for id_ in self.bodies} == self.bodies
        uses = Counter(digest for id_ in self.bodies for digest in references(do("GET", keys.of("body", id_))))
        found = {key.decode().rpartition(":")[2] for key in do("KEYS", f"{keys.prefix}shared:*")}
        assert found == set(uses)
        for digest, count in uses.items():
            n, piece = do("HMGET", keys.of("shared", digest), "n", "b")
            assert (int(n), hashlib.sha256(piece).hexdigest()) == (count, digest)

    @invariant()
    def the_counts_are_right(self) -> None:
        found = {
            key.decode(): int(count)
            for key, count in self.store.link.do("HGETALL", self.store.keys.one("submitted")).items()
        }
        for uid in (1000, 1001):
            living = sum(job.spec.uid == uid for job in self.twin.jobs(sorted(self.live))) if self.live else 0
            assert found.get(str(uid), 0) == living
            assert found.get(f"bytes:{uid}", 0) == self.twin.accepted.budget.held[uid]

    def teardown(self) -> None:
        self.store.close()


def test_any_history_leaves_the_pieces_that_are_used(server: Server) -> None:
    Histories.server = server
    run_state_machine_as_test(Histories, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
