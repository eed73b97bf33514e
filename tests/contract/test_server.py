"""Test what only a real server can show: durability, memory, its errors, and the Lua parts against the Python ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.errors import DiskFull, NotFound, Unreachable
from crane_celery.grammar.ranges import RangeSet
from crane_celery.lifecycle.replay import replay
from crane_celery.store.api import Answer, Submission
from crane_celery.store.keys import Keys
from crane_celery.store.redis import RedisStore
from crane_celery.store.scripts import part
from tests.contract.world import World, needs, spec
from tests.support.server import Server

MILLION = 1_000_000


@pytest.fixture
def own() -> Iterator[Server]:
    """A server for one test alone."""
    with Server() as running:
        yield running


def sizes(store: RedisStore) -> dict[str, int]:
    """Bytes of every key but the stream (which is trimmed) and the bits (which are one per id and kind)."""
    names = [name.decode() for name in store.link.do("KEYS", "*")]
    return {
        n: store.link.do("MEMORY", "USAGE", n, "SAMPLES", 0) for n in names if "bits:" not in n and "events" not in n
    }


def test_a_killed_server_comes_back_with_everything(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{r}"))
    array, plain = world.submit(10), world.submit()
    waiting = world.submit(dep=needs("afterok", array, array, 10))
    world.start(array, 0, 1)
    world.begin(array)
    world.end(array)
    world.run(plain, "Failed", 2)
    before = store.jobs([array, plain, waiting]), store.elements([1, 2, 11]), store.nodes(), store.last_event()
    own.kill()
    own.start()
    assert (
        store.jobs([array, plain, waiting]),
        store.elements([1, 2, 11]),
        store.nodes(),
        store.last_event(),
    ) == before
    assert [q.job for q in store.questions(world.fence, 9)] == [waiting] and store.ended_bits(1, 20) == (2, 1)
    assert world.submit() == waiting + 1 and store.body(array) == b"body"


def test_a_million_elements_cost_what_ten_do(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{m}"))
    world.submit(10)
    before = sum(sizes(store).values())
    array = world.submit(MILLION)
    store.hold(array, "", True)
    store.hold(array, "1000-500000", False)
    world.start(array, 1000)
    assert store.cancel(array, "2000-900000", 0).pending == 898_001
    assert store.cancel(array, "", 0).pending == MILLION - 898_002
    assert store.ended_bits(array, MILLION) == (MILLION - 1, 0) and store.ended_bits(array + 1000, 1) == (0, 0)
    assert sum(sizes(store).values()) - before <= 64 << 10
    assert replay(store.events("0", 0, 100)).jobs[array] == store.job(array)


def test_a_long_list_of_dependants_moves_in_portions(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{d}"))
    count, keys = 5000, Keys("{d}")
    one = world.submit()
    dep = needs("afterany", one)
    ids = store.submit([Submission(spec(), 1, b"", dep)] * count, [""] * count)
    while asked := store.questions(world.fence, 1000):
        store.judge(world.fence, [Answer(q.job, q.dep, -1.0) for q in asked])
    world.run(one)
    assert store.link.do("ZCARD", keys.one("resolve")) == 0 and store.link.do("ZCARD", keys.one("spread")) == 1
    seen: list[int] = []
    calls = 0
    while asked := store.questions(world.fence, 500):
        calls += 1
        assert len(asked) <= 200 and store.link.do("ZCARD", keys.one("resolve")) + len(asked) + len(seen) <= 400 * calls
        seen += [q.job for q in asked]
        store.judge(world.fence, [Answer(q.job, q.dep, 1.0) for q in asked])
    assert sorted(seen) == ids and store.link.do("ZCOUNT", keys.of("waits", one), 0, "+inf") == 0


def test_dependants_that_wait_no_more_do_not_hide_those_behind_them(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{e}"))
    one = world.submit()
    dep = needs("afterany", one)
    ids = store.submit([Submission(spec(), 1, b"", dep)] * 1500, [""] * 1500)
    for id_ in ids[:-1]:
        store.cancel(id_, "", 0)
    assert [q.job for q in store.questions(world.fence, 10)] == [ids[-1]]


def test_a_large_array_is_forgotten_in_portions(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{f}"))
    array = world.submit(30_000)
    last = 29_999
    world.start(array, 5, last)
    world.end(array + 5, array + last)
    store.cancel(array, "", 0)
    store.set_cursor("recorder", store.last_event())
    left = sizes(store).keys()
    assert any(":el:" in name or "el:" in name for name in left)
    gone = [store.forget(world.fence, store.now() + 1, 10) for _ in range(2)]
    assert gone == [(0, True), (1, False)]
    assert not [name for name in sizes(store) if any(f"}}:{kind}:" in name for kind in ("el", "job", "spec", "body"))]


def test_a_fragmented_array_is_cancelled_in_portions(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{g}"))
    array = world.submit(600_000)
    every_other = RangeSet.stride(0, 599_999, 2).text
    assert store.cancel(array, every_other, 0).pending == 300_000
    assert store.ended_bits(array, 600_000) == (300_000, 0)
    assert world.kinds().count("cancel") == 3


def test_many_running_elements_are_told_to_stop_in_portions(own: Server) -> None:
    world = World(store := RedisStore(own.url, "{h}"))
    array = world.submit(4_500)
    for at in range(0, 4_500, 500):
        world.start(array, *range(at, at + 500))
    assert store.cancel(array, "1-4499", 0).running == list(range(array + 1, array + 4_500))
    assert len(store.heartbeat("n1", world.epoch, 0).unanswered) == 1000


def test_a_server_without_memory_refuses_and_recovers() -> None:
    with Server(["--maxmemory", "4mb"]) as full:
        world = World(store := RedisStore(full.url, "{o}"))
        accepted = 0
        with pytest.raises(DiskFull, match="takes no more writes"):
            for _ in range(20_000):
                accepted = store.submit([Submission(spec(), 1, b"x" * 10_000)], [""])[0]
        assert len(store.jobs()) == accepted and accepted > 0 and store.job(accepted)
        store.link.do("CONFIG", "SET", "maxmemory", "0")
        assert world.submit() == accepted + 1


def test_the_disk_guard_speaks_before_a_submit(server: Server) -> None:
    def guard() -> None:
        raise DiskFull("2 MB left")

    store = RedisStore(server.url, "{q}", guard)
    with pytest.raises(DiskFull, match="2 MB left"):
        store.submit([Submission(spec(), 1, b"")], [""])
    assert not store.known(1)


def test_an_empty_server_goes_on_with_ids_behind_those_given_out(own: Server) -> None:
    asked = []
    store = RedisStore(own.url, "{i}", None, lambda: asked.append(1) or 5_000)
    assert store.submit([Submission(spec(), 2, b""), Submission(spec(), 1, b"")], ["", ""]) == [5_001, 5_003]
    assert store.submit([Submission(spec(), 1, b"")], [""]) == [5_004]
    assert asked == [1]
    store.link.do("FLUSHALL")
    assert store.submit([Submission(spec(), 1, b"")], [""]) == [5_001]


def test_a_server_that_is_gone_is_said_without_its_password(own: Server) -> None:
    store = RedisStore(own.url, "{u}")
    assert store.now() > 0
    own.stop()
    for call in (store.ping, store.jobs, lambda: store.events("$", 5, 1)):
        with pytest.raises(Unreachable, match=r"s\.sock"):
            call()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1") as refused:
        RedisStore("redis://:secret@127.0.0.1:1/0", "{u}").ping()
    assert "secret" not in refused.value.message


def test_scripts_are_sent_again_after_the_server_forgot_them(redis_store: RedisStore) -> None:
    world = World(redis_store)
    redis_store.link.do("SCRIPT", "FLUSH")
    world.run(world.submit())
    with pytest.raises(NotFound, match="job 99"):
        redis_store.hold(99, "", True)


def test_prefixes_keep_clusters_apart(server: Server) -> None:
    one, two = RedisStore(server.url, "{one}"), RedisStore(server.url, "{two}:")
    World(one).submit()
    assert two.jobs() == [] and World(two).submit() == 1
    assert not set(one.link.do("KEYS", "{one}*")) & set(one.link.do("KEYS", "{two}*"))


_SETS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=8).map(
    lambda pairs: RangeSet((low, low + more) for low, more in pairs)
)
_RANGES = f"""
local call = redis.call
{part("pages")}
{part("ranges")}
local a, b, n = to_ranges(ARGV[1]), to_ranges(ARGV[2]), tonumber(ARGV[3])
local out = {{ to_text(common(a, b)), to_text(minus(a, b)), to_text(union(a, b)), size(a), place(a, n) and 1 or 0 }}
out[7], out[8] = is_empty(minus(a, b)) and 1 or 0, ranks_from(a, n, 5)
drop(a, n)
out[6] = to_text(a)
return out
"""


@given(_SETS, _SETS, st.integers(0, 70))
@settings(deadline=None, max_examples=200)
def test_ranges_in_lua_are_those_of_the_grammar(server: Server, a: RangeSet, b: RangeSet, n: int) -> None:
    store = RedisStore(server.url, "{l}")
    common, minus, union, size, found, dropped, *_ = store.link.do("EVAL", _RANGES, 0, a.text, b.text, n)
    assert [common.decode(), minus.decode(), union.decode()] == [(a & b).text, (a - b).text, (a | b).text]
    assert (size, bool(found), dropped.decode()) == (len(a), n in a, (a - RangeSet.of([n])).text)
    store.close()


_ODD = st.lists(st.tuples(st.integers(0, 14_000), st.integers(0, 2_000)), max_size=4)
_LARGE = st.builds(
    lambda first, step, width, more, less: (
        RangeSet((at, at + width - 1) for at in range(first, 12_000, step)) | RangeSet((a, a + n) for a, n in more)
    )
    - RangeSet((a, a + n) for a, n in less),
    st.integers(0, 3_000), st.integers(2, 12), st.integers(1, 11), _ODD, _ODD,
)  # fmt: skip


@given(_LARGE, _LARGE | _SETS, st.integers(0, 14_000))
@settings(deadline=None, max_examples=100)
def test_large_sets_in_lua_are_those_of_the_grammar(server: Server, a: RangeSet, b: RangeSet, n: int) -> None:
    store = RedisStore(server.url, "{l}")
    found = store.link.do("EVAL", _RANGES, 0, a.text, b.text, n)
    sets = [RangeSet.parse(found[at].decode()) for at in (0, 1, 2, 5)]
    assert sets == [a & b, a - b, a | b, a - RangeSet.of([n])]
    assert (found[3], found[4], found[6]) == (len(a), n in a, not a - b)
    assert found[7] == list(a - RangeSet.span(0, n - 1))[:5]
    store.close()


_MARKS = f"""
local call, P = redis.call, '{{k}}:'
local key_scratch = P .. 'scratch'
local function key_bits(of) return P .. of end
{part("pages")}
{part("ranges")}
{part("bits")}
{part("marks")}
call('DEL', key_bits('x:0'), key_bits('x:1'))
local base = tonumber(ARGV[1])
mark('x', base, to_ranges(ARGV[2]), true)
mark('x', base, to_ranges(ARGV[3]), true)
mark('x', base, to_ranges(ARGV[4]), false)
return {{ call('GET', key_bits('x:0')) or '', call('GET', key_bits('x:1')) or '' }}
"""


@given(st.integers(0, 40) | st.integers((1 << 20) - 9_000, (1 << 20) + 40), _LARGE, _LARGE | _SETS, _LARGE | _SETS)
@settings(deadline=None, max_examples=60)
def test_marks_in_lua_are_bits(server: Server, base: int, one: RangeSet, two: RangeSet, less: RangeSet) -> None:
    store = RedisStore(server.url, "{k}")
    chunks = store.link.do("EVAL", _MARKS, 0, base, one.text, two.text, less.text)
    ids = [
        (chunk << 20) + at
        for chunk, raw in enumerate(chunks)
        for at, bit in enumerate("".join(f"{byte:08b}" for byte in raw))
        if bit == "1"
    ]
    assert ids == [base + rank for rank in (one | two) - less]
    assert not store.link.do("EXISTS", "{k}:scratch1", "{k}:scratch2")
    store.close()


_BITS = f"""
local call, P = redis.call, '{{b}}:'
local function key_bits(of) return P .. of end
{part("bits")}
redis.call('FLUSHDB')
for i = 2, #ARGV, 2 do set_bits('x', tonumber(ARGV[i - 1]), tonumber(ARGV[i])) end
return count_bits('x', 0, 3000000)
"""


def test_bits_in_lua_cover_any_block(own: Server) -> None:
    store, chance = RedisStore(own.url, "{b}"), random.Random(7)
    for _ in range(50):
        blocks = [(chance.randrange(2_200_000), chance.choice([1, 7, 8, 9, 1000, 700_000])) for _ in range(3)]
        meant = RangeSet((first, first + count - 1) for first, count in blocks)
        assert store.link.do("EVAL", _BITS, 0, *(n for block in blocks for n in block)) == len(meant)
