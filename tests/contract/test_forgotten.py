"""Test what a server holds of a job after it left the window: its bits, and nothing else."""

from typing import Any

import pytest

from crane_celery.model.dependency import decode, encode, judge
from crane_celery.store.api import Answer, Moved, Report, Requeue
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, needs


@pytest.fixture
def world(redis_store: RedisStore) -> World:
    return World(redis_store)


#: what is of the cluster, not of a job; counters of people stay, at nought
_ONE = ("next", "events", "cursors", "fence", "leader", "submitted", "plan")


def held(store: RedisStore, prefix: str) -> dict[str, Any]:
    """Return what every key holds, but for the bits and what is of the cluster or of a node itself."""
    reads = {"zset": ("ZRANGE", "0", "-1"), "hash": ("HGETALL",), "set": ("SMEMBERS",), "string": ("GET",)}
    found = {}
    for key in store.link.do("KEYS", f"{prefix}:*"):
        name = key.decode().removeprefix(f"{prefix}:")
        if name in _ONE or name.startswith(("bits:", "node:", "passed:")):
            continue
        kind = store.link.do("TYPE", key)
        command, *rest = reads[kind.decode() if isinstance(kind, bytes) else kind]
        found[name] = store.link.do(command, key, *rest)
    return found


def judge_all(world: World) -> None:
    """Judge what is asked, as the leader does."""
    while asked := world.store.questions(world.fence, 100):
        verdicts = [(q.job, judge(decode(q.dep), dict(q.facts))) for q in asked]
        answers = [Answer(job, encode(v.dep), v.ready, v.corr, v.dead) for job, v in verdicts]
        world.store.judge(world.fence, answers)


def control(world: World) -> list[int]:
    """Everything that can be done to jobs, until they have ended; their ids."""
    store, one, array = world.store, world.submit(), world.submit(6, requeue="failure")
    waits, other = world.submit(dep=needs("afterany", array, count=6)), world.submit(3, dep=needs("aftercorr", one))
    judge_all(world)
    store.depend(other, f"afterok:{one}", needs("afterok", one))
    judge_all(world)
    store.hold(array, "4-5", True, store.now() + 1000)
    store.update(array, "0-1", {"time_limit": 60, "comment": "x"})
    store.update(one, "", {"priority": 3})
    world.start(array, 0, 1, 2, 3)
    world.begin(array, array + 1, array + 2)
    for number in (array, array + 1):
        store.order(number, 1, {"limit": 90.0, "suspend": 1.0})
    for state in ("Suspended", "Running"):
        store.report("n1", world.epoch, Report(moved=[Moved(array, 1, state, store.now())]))
    store.requeue(array, "1")
    world.end(array + 1)
    world.end(array + 2, state="Failed", code=326)
    store.requeue(array, "3", Requeue(hold=True))
    world.end(array, array + 3)
    store.requeue(array, "0")
    world.start(array, 0, 1, 2, run=2)
    store.cancel(array, "1", 1000)
    world.end(array, array + 1, array + 2, run=2)
    store.expire(world.fence, array, "3", "Deadline", 330, "late")
    store.cancel(array, "", 1000)
    world.run(one)
    judge_all(world)
    world.run(waits)
    store.cancel(other, "", 1000)
    judge_all(world)
    return [one, array, waits, other]


def test_nothing_but_the_bits_is_left_of_a_job(world: World, redis_store: RedisStore) -> None:
    prefix = redis_store.keys.prefix.removesuffix(":")
    before = held(redis_store, prefix)
    jobs = control(world)
    assert [job.ended == job.count for job in redis_store.jobs(jobs)] == [True] * 4
    assert held(redis_store, prefix) != before
    redis_store.set_cursor("recorder", redis_store.last_event())
    redis_store.set_cursor("leader", redis_store.last_event())
    assert redis_store.forget(world.fence, redis_store.now() + 1, 10).jobs == 4
    assert held(redis_store, prefix) == before
    assert redis_store.ended_bits(jobs[1], 6) == (6, 3)
    counters = redis_store.link.do("HVALS", f"{prefix}:users")
    assert all(int(each) == 0 for each in counters)
