"""At least 50 kills over all roles, at seeded moments, under arrays of short and long elements (peers.md section 8)."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.faults import campaign
from tests.support.cluster import Cluster, cluster

pytestmark = pytest.mark.faults
SEED = int(os.environ.get("CRANE_SEED", "20261121"))
KILLS = int(os.environ.get("CRANE_KILLS", "8"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Cluster]:
    """One cluster for all victims: it must stay usable after each."""
    with cluster(nodes=2) as made:
        yield made


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["scheduler", "node", "shepherd", "spawner", "server", "recorder", "gateway"])
def test_every_job_ends_once_whoever_is_killed(lab: Cluster, role: str) -> None:
    """Short and long elements under way while the role dies again and again."""
    rng = random.Random(f"{SEED}-{role}")
    print(f"seed {SEED}, role {role}, {KILLS} kills")
    loads = [campaign.start(lab, 120, "0.02"), campaign.start(lab, 24, "3")]
    assert campaign.campaign(lab, role, KILLS, rng) == KILLS
    loads.append(campaign.start(lab, 10, "0.1"))
    lab.wait(*(load.job for load in loads))
    for load in loads:
        print(load.job, campaign.verify(lab, load, may_be_lost=role in ("shepherd", "spawner")))
