"""Messages: their size, and what happens when the broker is away."""

from __future__ import annotations

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


def test_a_broker_that_is_not_there_is_unreachable_and_closing_twice_is_fine() -> None:
    outbox = CeleryOutbox(make_app(settings(server_url="unix:///nowhere/s.sock")))
    for _ in range(2):
        with pytest.raises(Unreachable, match="broker"):
            outbox.put("n1", "text", "signature")
        outbox.close()
    outbox.close()
