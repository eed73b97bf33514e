"""Test what Celery beat sees of us: ticks, and closing in the middle of one."""

from __future__ import annotations

import pytest
from celery import Celery

from beat.host import CraneScheduler
from beat.leader import Leader
from tests.unit.beat.fakes import Cluster


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def host(cluster: Cluster) -> CraneScheduler:
    made = CraneScheduler(Celery("test", set_as_current=False), lazy=True)
    made._leader = cluster.leader
    return made


def test_the_lazy_instance_of_the_banner_opens_nothing() -> None:
    lazy = CraneScheduler(Celery("test", set_as_current=False), lazy=True)
    assert lazy.tick() == lazy.max_interval and "leader" in lazy.info
    lazy.close()


def test_a_leader_ticks_without_sleep(host: CraneScheduler, cluster: Cluster) -> None:
    assert host.tick() == 0.0 and cluster.leader.leads


def test_close_twice_between_ticks(host: CraneScheduler, cluster: Cluster) -> None:
    host.tick()
    host.close()
    host.close()
    assert cluster.outbox.closed == 1 and cluster.store.lead("another", 5.0)


def test_a_signal_in_the_middle_of_a_tick_touches_no_connection(
    host: CraneScheduler, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.tick()

    def interrupted(_: Leader) -> float:
        host.close()
        assert not cluster.outbox.closed
        return 0.0

    monkeypatch.setattr(Leader, "turn", interrupted)
    with pytest.raises(SystemExit):
        host.tick()
    host.close()
    assert cluster.outbox.closed == 1 and cluster.store.lead("another", 5.0)
