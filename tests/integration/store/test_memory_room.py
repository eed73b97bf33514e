"""The server's memory: submissions are refused before it is full, and what runs goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crane_celery.errors import MemoryFull
from crane_celery.store.api import Submission
from crane_celery.store.link import Link
from crane_celery.store.memory_room import ASK_S, MemoryRoom
from crane_celery.store.redis import RedisStore
from tests.contract.world import World, spec
from tests.support.server import Server

MIB = 1 << 20


def test_submissions_end_before_the_server_is_full_and_running_work_does_not() -> None:
    with Server(("--maxmemory", "24mb", "--maxmemory-policy", "noeviction")) as server:
        at = [0.0]
        room = MemoryRoom(Link(server.url, "{m}"), 8 * MIB, local=True, monotonic=lambda: at[0])
        store = RedisStore(server.url, "{m}", room.guard)
        world = World(store)
        first = world.submit()
        world.start(first)
        with pytest.raises(MemoryFull, match=r"memory left, and 8M are reserved.*MinFreeMemory"):
            for number in range(100):
                at[0] += ASK_S
                body = f"{number}".encode() * MIB
                store.submit([Submission(replace(spec(), name="large"), 1, body[:MIB])], [""])
        world.begin(first)
        world.end(first)
        ended = store.job(first)
        assert ended is not None
        assert ended.ended == 1
        for job in store.jobs():
            store.cancel(job.id, "", 0)
        store.set_cursor("recorder", store.last_event())
        store.forget(world.fence, store.now() + 1, 1000)
        at[0] += ASK_S
        assert world.submit() > first
        store.close()


def test_without_a_limit_the_host_counts_and_nought_switches_it_off() -> None:
    with Server() as server:
        link = Link(server.url, "{m}")
        assert MemoryRoom(link, 1, local=True).left() > 0
        assert MemoryRoom(link, 1, local=False).left() > 0
        MemoryRoom(link, 0, local=True).guard()
        with pytest.raises(MemoryFull):
            MemoryRoom(link, 1 << 60, local=True).guard()


def test_an_answer_holds_for_a_second() -> None:
    with Server() as server:
        at = [0.0]
        room = MemoryRoom(Link(server.url, "{m}"), 1, local=True, monotonic=lambda: at[0])
        room.guard()
        server.kill()
        room.guard()
