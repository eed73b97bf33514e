"""A hundred thousand dependants on one job: woken in portions, so that no script blocks the server for long."""

from crane_celery.model.dependency import decode, encode, judge
from crane_celery.model.job import WAITING
from crane_celery.store.api import Answer, Submission
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, needs, spec
from tests.support.server import Server
from tests.support.slow import Slow

DEPENDANTS, BATCH = 100_000, 500


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


def test_no_script_blocks_the_server() -> None:
    with Server() as server:
        world = World(store := RedisStore(server.url, "{m}"))
        slow = Slow(server, store)
        root = world.submit()
        waiting = [Submission(spec(), 1, b"", needs("afterok", root))] * BATCH
        for _ in range(DEPENDANTS // BATCH):
            store.submit(waiting, [""] * BATCH)
            slow.look()
        assert judged(world, slow) == 0
        world.run(root, "Completed", 0)
        slow.look()
        assert judged(world, slow) == DEPENDANTS
        refused = requeued(world, slow, root)
        assert refused == ["not ready"] * 2
        world.run_again(root, 2)
        slow.look()
        assert judged(world, slow) == DEPENDANTS
        assert slow.found == []
        store.close()


def requeued(world: World, slow: Slow, root: int) -> list[str]:
    """Requeue the job that all wait for: the verdicts are taken back in portions, and nothing starts before.

    Returns the answers to a start of the last dependant, at once and when all verdicts have been taken back.
    """
    last, said = root + DEPENDANTS, []
    assert world.store.requeue(root, "").ended == 1
    slow.look()
    said += world.start(last)
    assert judged(world, slow) == 0
    found = world.store.jobs([root + 1, last])
    assert [job.ready for job in found] == [WAITING] * 2
    return said + world.start(last)
