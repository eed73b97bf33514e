"""A gateway killed during submissions: each submission makes one job or none, and says which (I1 of peers.md)."""

import random
import threading
from collections import Counter

import pytest

from tests.faults import campaign
from tests.faults.test_kills import SEED
from tests.support.cluster import cluster

pytestmark = pytest.mark.faults


@pytest.mark.timeout(200)
def test_a_submission_makes_one_job_or_none() -> None:
    """Sixty submissions by command, the gateway killed eight times meanwhile."""
    with cluster(nodes=1) as lab:
        told: dict[str, str] = {}

        def submit(first: int) -> None:
            for number in range(first, first + 20):
                done = lab.run(
                    "cbatch", "--parsable", "-J", f"s{number}", "-o", "/dev/null", "--wrap", "true", code=None
                )
                told[f"s{number}"] = done.stdout.strip() if done.returncode == 0 else ""

        threads = [threading.Thread(target=submit, args=(first,)) for first in (0, 20, 40)]
        for thread in threads:
            thread.start()
        campaign.campaign(lab, "gateway", 8, random.Random(SEED))
        for thread in threads:
            thread.join()
        lab.wait(*(int(job) for job in told.values() if job))
        rows = lab.json("cacct", "-m", "1000")["job_info_list"]
        count = Counter(row["name"] for row in rows)
        assert max(count.values()) == 1, f"seed {SEED}: submitted twice: {count.most_common(3)}"
        by_name = {row["name"]: str(row["job_id"]) for row in rows}
        assert all(by_name.get(name) == job for name, job in told.items() if job), (
            f"seed {SEED}: an id was given out and lost"
        )
