"""A hundred thousand dependants on one job: woken in portions, so that no script blocks the server for long."""

from pathlib import Path

from crane_celery.model.dependency import decode, encode, judge
from crane_celery.store.api import Answer, Submission
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, needs, spec
from tests.support.server import Server

DEPENDANTS, BATCH = 100_000, 500
#: what blocks the server for so long is a fault
SLOW_US = 50_000


class Slow:
    """What SLOWLOG tells of the calls since the last look, less the time for which other processes had the processor.

    SLOWLOG counts by the clock on the wall: on a busy machine an entry may be the wait for a processor and no work.
    """

    def __init__(self, server: Server, store: RedisStore) -> None:
        self._file, self._link = Path(f"/proc/{server.pid}/schedstat"), store.link
        self._waited = self._waiting()
        #: microseconds of each entry that is left at SLOW_US or more
        self.found: list[float] = []

    def _waiting(self) -> float:
        """Microseconds that the server was ready to run and did not."""
        return int(self._file.read_text().split()[1]) / 1000

    def look(self) -> None:
        """Take in the entries of one call."""
        entries, before = self._link.do("SLOWLOG", "GET", "-1"), self._waited
        self._waited = self._waiting()
        left = [entry[2] - (self._waited - before) for entry in entries]
        self.found += [each for each in left if each >= SLOW_US]
        if entries:
            self._link.do("SLOWLOG", "RESET")


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
    with Server(["--slowlog-log-slower-than", str(SLOW_US)]) as server:
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
        assert slow.found == []
        store.close()
