"""A hundred thousand dependants on one job: woken in portions, so that no script blocks the server for long."""

from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.job import WAITING
from crane_celery.store.api import Answer, Submission
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, needs, spec
from tests.support.server import Server
from tests.support.slow import Slow

DEPENDANTS, BATCH = 100_000, 500
#: so many are enough for a hundred portions
REQUEUED = 20_000


def judged(world: World, slow: Slow) -> int:
    """Judge all that is asked, as the leader does; how many became ready."""
    ready = 0
    while questions := world.store.questions(world.fence, 200):
        slow.look()
        verdicts = [(each.job, judge(decode(each.dep), dict(each.facts))) for each in questions]
        world.store.judge(world.fence, [Answer(job, encode(told.dep), told.ready) for job, told in verdicts])
        slow.look()
        ready += sum(told.ready >= 0 for _, told in verdicts)
    return ready


def with_dependants(server: Server, count: int) -> tuple[World, Slow, int]:
    """A store in which so many wait for one job, which has Completed; all of them are judged."""
    world = World(store := RedisStore(server.url, "{m}"))
    slow = Slow(server, store)
    root = world.submit()
    waiting = [Submission(spec(), 1, b"", needs("afterok", root))] * BATCH
    for _ in range(count // BATCH):
        store.submit(waiting, [""] * BATCH)
        slow.look()
    assert judged(world, slow) == 0
    world.run(root, "Completed", 0)
    slow.look()
    assert judged(world, slow) == count
    return world, slow, root


def test_no_script_blocks_the_server() -> None:
    with Server() as server:
        world, slow, _ = with_dependants(server, DEPENDANTS)
        assert slow.found == []
        world.store.close()


def test_verdicts_on_many_are_taken_back_in_portions() -> None:
    """Nothing starts by one that is still to be taken back."""
    with Server() as server:
        world, slow, root = with_dependants(server, REQUEUED)
        assert requeued(world, slow, root) == ["not ready"] * 2
        world.run_again(root, 2)
        slow.look()
        assert judged(world, slow) == REQUEUED
        assert slow.found == []
        world.store.close()


def requeued(world: World, slow: Slow, root: int) -> list[str]:
    """Requeue the job that all wait for: the verdicts are taken back in portions, and nothing starts before.

    Returns the answers to a start of the last dependant, at once and when all verdicts have been taken back.
    """
    last, said = root + REQUEUED, []
    assert world.store.requeue(root, "").ended == 1
    slow.look()
    said += world.start(last)
    assert judged(world, slow) == 0
    found = world.store.jobs([root + 1, last])
    assert [job.ready for job in found] == [WAITING] * 2
    return said + world.start(last)
