"""A text of at most 1 KiB costs little memory, whatever it says: what it stands for is bounded before it is made."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from crane_celery.errors import CraneError, NotFound
from crane_celery.grammar.array import IndexSet, parse_array
from crane_celery.grammar.constraint import parse_constraint
from crane_celery.grammar.dependency import parse_dependency
from crane_celery.grammar.format import parse_format
from crane_celery.grammar.gres import parse_gres
from crane_celery.grammar.hostlist import expand, expand_all
from crane_celery.grammar.licenses import parse_licenses
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.service.shared.hosts import known_nodes

NODES = [f"n{number}" for number in range(10)]
PRIMES = ",".join(f"{p}-999999:{p}" for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59))
NEAR = ",".join(f"{step}-999999:{step}" for step in range(1000, 1060))
TWOS = ",".join(f"{at}-999999:2" for at in range(0, 100, 2))
FAR = TWOS.replace("999999", "2147483647")[:900].rpartition(",")[0]


def _ranks(text: str) -> RangeSet:
    return IndexSet.parse("0-999999").ranks_of(text)


def _known(text: str) -> list[str]:
    return known_nodes([text], NODES)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        *((read, "n[1-999999]") for read in (expand, _known)),
        *((read, "n[1-65536]") for read in (expand, _known)),
        (expand, "n[1-256][1-256]"),
        (expand, "n[1-65536]," * 90 + "x"),
        (expand, "n" + "[1]" * 300),
        (expand, "n" + "[1-2]" * 200),
        (_known, "n" + "[0,0]" * 200),
        *((parse_array, text) for text in (PRIMES, NEAR, TWOS, "0-999999:2,1-999999:3", "0-999999")),
        *((parse_selectors, f"1_[{text}]") for text in (PRIMES, NEAR, TWOS, FAR)),
        *((parse_dependency, f"afterok:1_[{text}]") for text in (PRIMES, NEAR, TWOS, FAR)),
        (parse_dependency, "afterok:1_[0-999999:2,1-999999:3]:1_[0-999999:4,3-999999:5]"),
        *((_ranks, text) for text in (PRIMES, TWOS)),
        (parse_constraint, "&".join(f"(a{at}|b{at}|c{at})" for at in range(60))),
        (parse_constraint, "({})&({})".format(*("|".join(f"{c}{at}" for at in range(100)) for c in "ab"))),
        (parse_gres, ",".join(f"g{at}:2147483647" for at in range(60))),
        (parse_licenses, ",".join("a" * at + ":2147483647" for at in range(1, 30))),
        (RangeSet.parse, "0-9223372036854775806"),
        (RangeSet.parse, ",".join(map(str, range(0, 500, 2)))),
        (lambda text: parse_format(text, ["j"]), "%10000j" * 140),
    ],
)
def test_the_peak_is_below_8_mib(read: Callable[[str], object], text: str) -> None:
    assert len(text) <= 1100
    tracemalloc.start()
    try:
        read(text)
    except CraneError as error:
        assert len(error.message) < 400
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 << 20


def test_all_lists_of_a_request_share_one_bound() -> None:
    with pytest.raises(CraneError, match="more than 65536 names"):
        expand_all(["n[1-40000]", "n[1-40000]"])


def test_a_list_of_nodes_ends_at_the_first_that_there_is_not() -> None:
    assert known_nodes(["n[2-3,2],n1", "n3"], NODES) == ["n2", "n3", "n1"]
    with pytest.raises(NotFound, match="no node 'n10'"):
        known_nodes(["n[1-60000]"], NODES)


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (parse_selectors, ",".join(["1"] * 100_001), "more than 100000 ids"),
        (parse_dependency, "after" + ":1" * 10_001, "more than 10000 jobs"),
        (parse_constraint, "|".join(f"a{at}" for at in range(300)), "over 256 alternatives"),
        (parse_array, "0-999999:2,1-999999:3", "too irregular"),
    ],
)
def test_refused_by_size_before_it_is_read(read: Callable[[str], object], text: str, why: str) -> None:
    with pytest.raises(CraneError, match=why):
        read(text)
