"""Messages: their size, and what happens when the broker is away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beat.dispatch import CeleryOutbox
from crane_celery.celery_app import broker_url, make_app
from crane_celery.errors import Unreachable
from tests.unit.beat.fakes import Cluster, settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("unix:///run/s.sock", "redis+socket:///run/s.sock?virtual_host=0"),
        ("unix:///run/s.sock?db=3", "redis+socket:///run/s.sock?virtual_host=3"),
        ("redis://:secret@host:6379/1", "redis://:secret@host:6379/1"),
        ("rediss://host", "rediss://host"),
    ],
)
def test_the_broker_is_the_server(given: str, expected: str) -> None:
    assert broker_url(given) == expected


def test_many_launches_go_in_several_messages() -> None:
    cluster = Cluster(("n1",))
    cluster.submit(40, cpus_per_task=0.001, memory=1)
    cluster.turns()
    assert len(cluster.outbox.sent) == 1
    cluster.submit(1200, cpus_per_task=0.001, memory=1)
    cluster.turns(8)
    assert len(set(cluster.outbox.launched())) == 1240
    assert max(len(message.launches) for message in cluster.outbox.sent) <= 500


def test_a_launch_says_what_a_run_holds_elsewhere_where_that_differs() -> None:
    made = Cluster(("n1", "n2"), register=False)
    for name, cpus in (("n1", 8.0), ("n2", 4.0)):
        made.store.register(replace(made.settings.nodes[name], cpus=cpus), "host", "none", "0", "boot")
    made.submit(nodes=2, ntasks=2, exclusive=True)
    made.turns()
    (message,) = made.outbox.sent
    assert [(launch.cpus, launch.cpus_each) for launch in message.launches] == [(8.0, (8.0, 4.0))]


def test_a_broker_that_is_not_there_is_unreachable_and_closing_twice_is_fine() -> None:
    outbox = CeleryOutbox(make_app(settings(server_url="unix:///nowhere/s.sock")))
    for _ in range(2):
        with pytest.raises(Unreachable, match="broker"):
            outbox.put("n1", "text", "signature")
        outbox.close()
    outbox.close()


class Hooked(Cluster):
    """With a prolog or an epilog."""

    guests = True


def places(cluster: Cluster) -> list[tuple[str, int, int, float]]:
    """Of each launch so far: to whom, of which job, its place, and its CPUs there."""
    return [(m.node, launch.id, launch.place, launch.cpus) for m in cluster.outbox.sent for launch in m.launches]


def test_a_run_with_guests_goes_to_all_of_its_nodes_until_they_are_ready() -> None:
    made = Hooked()
    wide, narrow = made.submit(nodes=2), made.submit()
    made.turns()
    assert sorted(row[:3] for row in places(made) if row[1] == wide) == [("n1", wide, 0), ("n2", wide, 1)]
    assert [place for _, id_, place, _ in places(made) if id_ == narrow] == [-1]
    made.outbox.sent.clear()
    made.store.nudge("n2")
    made.turns()
    assert [row[:3] for row in places(made) if row[1] == wide] == [("n2", wide, 1)]
    made.begin(wide, node="n2")
    made.turns()
    assert [message.orders for message in made.outbox.sent if message.orders] == [[(wide, 1, {"go": 1})]]
    made.begin(wide)
    made.end(wide)
    made.turns()
    assert [tuple(kill) for message in made.outbox.sent for kill in message.kills] == [(wide, 1, 0, 1)]


def test_without_programs_around_jobs_only_the_first_node_hears() -> None:
    cluster = Cluster()
    wide = cluster.submit(nodes=2)
    cluster.turns()
    assert [row[:3] for row in places(cluster)] == [("n1", wide, -1)]
