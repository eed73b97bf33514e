"""A random graph of 1,000 jobs under kills: each starts after what it waits for, each exactly once.

Jobs stamp a file of their own when they start and when they end, by one clock that never goes back; the order
is judged by those files alone. ``CRANE_SEED`` repeats a graph and its kills.
"""

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from crane_celery.api import Cluster as Client
from crane_celery.api import Task
from crane_celery.errors import Unreachable
from tests.faults import campaign
from tests.support.cluster import Cluster, cluster

pytestmark = pytest.mark.faults
SEED = int(os.environ.get("CRANE_SEED", "20261127"))
JOBS = int(os.environ.get("CRANE_DAG", "1000"))
LAYERS, KILLS = 20, 10
VICTIMS = ("scheduler", "node", "gateway", "recorder", "server")
SCRIPT = """#!/bin/sh
read up idle < /proc/uptime; echo "start $up" >> "$1/$2"
sleep "$3"
read up idle < /proc/uptime; echo "end $up" >> "$1/$2"
exit "$4"
"""


class Vertex(NamedTuple):
    """A job of the graph by its number; it waits for earlier ones, each of which does what is waited for."""

    number: int
    code: int
    seconds: str
    waits: tuple[tuple[str, int], ...]  # (kind, number of the dependee)


def graph(rng: random.Random) -> list[list[Vertex]]:
    """Layers of vertices; each waits for up to four of the layers before."""
    layers: list[list[Vertex]] = []
    known: list[Vertex] = []
    for _ in range(LAYERS):
        layer = [_vertex(len(known) + more, known, rng) for more in range(JOBS // LAYERS)]
        layers.append(layer)
        known += layer
    return layers


def _vertex(number: int, known: list[Vertex], rng: random.Random) -> Vertex:
    chosen = rng.sample(known, min(len(known), rng.randrange(5)))
    kinds = ("after", "afterany")
    waits = [(rng.choice((*kinds, "afternotok" if each.code else "afterok")), each.number) for each in chosen]
    return Vertex(number, rng.choice((0, 0, 3)), rng.choice(("0", "0.05", "0.2")), tuple(waits))


def submit(client: Client, layer: list[Vertex], ids: list[int], witness: Path) -> list[int]:
    """One layer in bulk; repeated with the same key while the gateway is away, which must not make it twice."""
    tasks = []
    for each in layer:
        needed = ",".join(f"{kind}:{ids[number]}" for kind, number in each.waits)
        args = (str(witness), str(each.number), each.seconds, str(each.code))
        options = {"dependency": needed, "output": "/dev/null", "mem": "16M"}
        tasks.append(Task(script=SCRIPT, args=args, env=dict(os.environ), options=options))
    while True:
        try:
            return client.submit_many(tasks, key=f"layer-{len(ids)}")
        except Unreachable:
            continue


@pytest.fixture
def lab() -> Iterator[Cluster]:
    """A cluster of its own."""
    with cluster(nodes=2) as made:
        yield made


def killing(lab: Cluster, rng: random.Random, killed: list[str]) -> threading.Thread:
    """Kill each victim in turn at random moments, beside what the test does."""

    def run() -> None:
        for role in rng.sample(VICTIMS * (KILLS // len(VICTIMS)), KILLS):
            killed.extend([role] * campaign.campaign(lab, role, 1, rng))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def stamps(witness: Path, number: int) -> tuple[float, float]:
    """When a job started and ended; each must stand there once."""
    lines = [line.split() for line in (witness / str(number)).read_text().splitlines()]
    assert [word for word, _ in lines] == ["start", "end"], f"job {number} of the graph: {lines}"
    return float(lines[0][1]), float(lines[1][1])


@pytest.mark.timeout(600)
def test_a_random_graph_keeps_its_order_whoever_is_killed(lab: Cluster) -> None:
    print(f"seed {SEED}: {JOBS} jobs, {KILLS} kills")
    rng, killed = random.Random(SEED), list[str]()
    layers, ids = graph(rng), list[int]()
    witness = lab.work / "dag"
    witness.mkdir()
    client = Client(str(Path(lab.settings.run_dir) / "gateway.sock"))
    thread = killing(lab, rng, killed)
    for layer in layers:
        ids += submit(client, layer, ids, witness)
    thread.join()
    assert sorted(killed) == sorted(VICTIMS * (KILLS // len(VICTIMS)))
    vertices = [vertex for layer in layers for vertex in layer]
    assert lab.wait(*ids) == {ids[vertex.number]: vertex.code for vertex in vertices}
    times = [stamps(witness, number) for number in range(len(vertices))]
    for vertex in vertices:
        for kind, number in vertex.waits:
            assert times[vertex.number][0] >= times[number][kind != "after"], (vertex, kind, number)
