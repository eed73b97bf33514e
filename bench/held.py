"""Measure what a million elements cost while they wait: memory of the server and of the scheduler, whole and
alternating.

"Alternating": every second element was held, then changed, then cancelled, the worst that a set of ranges can meet. The
stream of events is trimmed behind recorder and leader before memory is read, as both do all the time.
"""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator

from bench.sched_core import Row, spec
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import asjson
from crane_celery.model.event import Event
from crane_celery.model.job import Job
from crane_celery.sched.snapshot import view_of
from crane_celery.sched.view import View
from crane_celery.settings import parse
from crane_celery.store.api import Submission
from crane_celery.store.redis import RedisStore
from tests.support.slow import Slow

KIB = 1024
CONFIG = "ClusterName: bench\nNodes:\n  - {name: 'n[1-4]', cpu: 256, memory: 512G}\n"
#: read at once while the view follows
_EVENTS = 1000


def used(store: RedisStore) -> int:
    """Bytes that the server uses for data, once everybody has passed all events and the rest of the stream is gone."""
    store.nudge("n1")  # the newest entry stays in the stream: let it be a small one
    for consumer in ("recorder", "leader"):
        store.set_cursor(consumer, store.last_event())
    store.trim()
    return int(store.link.do("INFO", "memory")["used_memory"])


def submit(store: RedisStore, count: int) -> int:
    """A held array."""
    [id_] = store.submit([Submission(spec(array=f"0-{count - 1}"), count, b"", "", True)], [""])
    return id_


def seen(jobs: list[Job]) -> View:
    """The scheduler's view of these submissions."""
    settings = parse(CONFIG, "/nowhere/config.yaml", {"CRANE_HOME": "/nowhere"})
    view = view_of(settings.partitions, 1.0, jobs, (), ())
    assert len(view.entries) == len(jobs)
    return view


def traced(make: Callable[[], object]) -> int:
    """Bytes of Python objects that are there when something was made and is still held."""
    tracemalloc.start()
    made = make()
    gc.collect()
    found = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del made
    return found


def whole(store: RedisStore, count: int) -> list[Row]:
    """Memory that a held array adds to the server, and to the scheduler for each element."""
    for _ in range(2):  # the scripts are loaded, the keys that a cluster has anyway are there
        store.cancel(submit(store, 10), "", 0)
    before = used(store)
    id_ = submit(store, count)
    server = used(store) - before
    view = traced(lambda: seen(store.jobs([id_])))
    store.cancel(id_, "", 0)
    return [
        Row(f"server memory of {count} held elements", server / KIB, "KiB (<= 64)"),
        Row("scheduler memory of each of them", view / count, "bytes (<= 1)"),
    ]


def steps(store: RedisStore, job: int, ranks: str) -> Iterator[None]:
    """Hold these elements, change them, cancel them: one after another."""
    store.hold(job, ranks, True)
    yield
    store.update(job, ranks, {"name": "other"})
    yield
    store.cancel(job, ranks, 0)
    yield


def alternating(store: RedisStore, slow: Slow, count: int) -> list[Row]:
    """Memory after every second element was held, changed and cancelled, at its highest of the three; the slowest of
    the commands that did it."""
    for _ in steps(store, submit(store, 10), "0,2,4,6,8"):
        pass
    before, server, at, told = used(store), 0, len(slow.found), list[str]()
    [id_] = store.submit([Submission(spec(array=f"0-{count - 1}"), count, b"")], [""])
    first = json.dumps(asjson.job_to_json(store.jobs([id_])[0]))
    cursor = store.last_event()
    for _ in steps(store, id_, RangeSet.stride(0, count - 2, 2).text):
        slow.look()
        told += [json.dumps(event) for event in store.events(cursor, 0.0, _EVENTS)]
        server = max(server, used(store) - before)
        cursor = store.last_event()
    followed = traced(lambda: follow(first, told))
    built = traced(lambda: seen(store.jobs([id_])))
    pending = len(RangeSet.parse(store.jobs([id_])[0].pending))
    assert pending == count // 2
    store.cancel(id_, "", 0)
    slow.look()
    return [
        Row(f"server memory after alternating changes of {count}", server / KIB, "KiB (<= 256)"),
        Row("scheduler memory of each pending then, read anew", built / pending, "bytes (<= 1)"),
        Row("the same, having followed the events", followed / pending, "bytes (<= 1)"),
        longest(slow, at, "longest command of these changes"),
    ]


def follow(job: str, told: list[str]) -> View:
    """The view of a submission (JSON) to which this happened (events as JSON)."""
    view = seen([asjson.job_from_json(json.loads(job))])
    for text in told:
        view.apply(Event(*json.loads(text)))
    return view


def longest(slow: Slow, at: int, work: str) -> Row:
    """The longest command since so many entries."""
    return Row(work, max((us for us, _ in slow.found[at:]), default=0.0) / 1000, "ms (< 50; 0 = none took 10)")
