"""Refused at submission, with what there is; accepted whatever is busy."""

from __future__ import annotations

from typing import Any

import pytest

from crane_celery.errors import Infeasible, NotFound
from crane_celery.model.node import NodeSpec, Partition
from crane_celery.sched.feasible import check
from tests.unit.sched.cases import GIB, spec

NODES = {
    "a": NodeSpec(name="a", cpus=4, memory=8 * GIB, gres={"gpu:x": 1, "gpu:y": 1}),
    "b": NodeSpec(name="b", cpus=16, memory=4 * GIB),
    "c": NodeSpec(name="c", cpus=64, memory=64 * GIB),
}
PARTITIONS = {"main": Partition(name="main", nodes=("a", "b"))}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cpus_per_task": 16},
        {"memory": 8 * GIB},
        {"nodes": 2, "ntasks": 8},
        {"gres": {"gpu": 2}},
        {"gres": {"gpu:y": 1}},
        {"nodelist": ("b",), "cpus_per_task": 16},
    ],
)
def test_possible(options: dict[str, Any]) -> None:
    check(spec(**options), NODES, PARTITIONS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cpus_per_task": 17}, "17 CPUs"),
        ({"cpus_per_task": 17}, "at most 16 CPUs"),
        ({"cpus_per_task": 16, "memory": 8 * GIB}, "on one node"),
        ({"memory": 9 * GIB}, "at most 16 CPUs, 8192M"),
        ({"nodes": 3}, "has 2"),
        ({"nodes": 2, "ntasks": 32}, "1 nodes that fit"),
        ({"gres": {"gpu": 3}}, "at most 16 CPUs, 8192M, 2 gpu"),
        ({"gres": {"fpga": 1}}, "0 fpga"),
        ({"nodelist": ("a",), "cpus_per_task": 5}, "of a has at most 4 CPUs"),
        ({"exclude": ("b",), "cpus_per_task": 5}, "without b has at most 4 CPUs"),
        ({"exclude": ("a", "b")}, "has 0"),
        ({"nodes": 2, "ntasks": 5, "ntasks_per_node": 2}, "hold 4"),
    ],
)
def test_impossible(options: dict[str, Any], words: str) -> None:
    with pytest.raises(Infeasible, match=words):
        check(spec(**options), NODES, PARTITIONS)


def test_no_such_partition() -> None:
    with pytest.raises(NotFound, match="there are main"):
        check(spec(partition="mian"), NODES, PARTITIONS)
