"""When one request asks for no more than another."""

from __future__ import annotations

from typing import Any

import pytest

from crane_celery.sched.want import Want, milli, want_of
from tests.unit.sched.cases import spec

BASE = Want("main", 1, 1000, 100)


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ({}, True),
        ({"cpu": 2000}, True),
        ({"cpu": 500}, False),
        ({"memory": 99}, False),
        ({"nodes": 2}, True),
        ({"partition": "other"}, False),
        ({"gres": (("gpu", 1),)}, True),
        ({"nodelist": frozenset({"a"})}, True),
        ({"exclusive": True}, True),
        ({"whole_memory": True}, True),
        ({"tmp": 1}, True),
    ],
)
def test_covers(more: dict[str, Any], covered: bool) -> None:
    assert BASE.covers(BASE._replace(**more)) is covered


@pytest.mark.parametrize(
    "more",
    [
        {"gres": (("gpu", 1),)},
        {"nodelist": frozenset({"a"})},
        {"exclude": frozenset({"a"})},
        {"exclusive": True},
        {"whole_memory": True},
        {"tmp": 1},
    ],
)
def test_what_is_particular_says_nothing_of_what_is_not(more: dict[str, Any]) -> None:
    assert not BASE._replace(**more).covers(BASE)


def test_want_of_a_spec() -> None:
    want = want_of(spec(nodes=2, ntasks=3, cpus_per_task=1.5, gres={"gpu": 1, "gpu:a": 2, "no": 0}))
    assert (want.nodes, want.cpu, want.gres) == (2, 3000, (("gpu:a", 2), ("gpu", 1)))


def test_the_least_share_of_a_cpu_is_something() -> None:
    assert milli(0.0001) == 1
