"""Two users against a victim: whatever they do, others' jobs start and end as ever, and nothing dies, grows or stays.

``CRANE_SEED`` chooses the order of the attacks, ``CRANE_CAMPAIGN_S`` how long they last (`make campaign-users`).
"""

import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import two_users
from tests.support.cluster import Cluster, cluster
from tests.support.people import opening

SEED = os.environ.get("CRANE_SEED", "20261129")
SECONDS = float(os.environ.get("CRANE_CAMPAIGN_S", "20"))

pytestmark = [pytest.mark.root, pytest.mark.faults, pytest.mark.timeout(int(SECONDS) + 600)]


@pytest.fixture(params=["none", "auto"])
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Two nodes with room for all, so that nobody waits for resources: without cgroups, and with those of this host."""
    if os.geteuid() != 0:
        pytest.skip("needs root: several users take part")
    options = ["--cpus", "256", "--mem", "256G", "--cgroup", request.param]
    with cluster(*options, prefix=opening()) as made:
        yield made


def test_two_users_against_a_victim(lab: Cluster) -> None:
    print(f"seed {SEED}, {SECONDS:g} s")
    rng = random.Random(SEED)
    work = two_users.Work(lab)
    work.round(1)  # everything is loaded once
    daemons = two_users.daemons(lab)
    before = {role: two_users.health(record) for role, record in daemons.items()}
    with two_users.attacked(lab, SEED) as said:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            work.round(rng.randrange(100))
    two_users.quiet(lab)
    done = {uid: _done(path) for uid, path in said.items()}
    print(work.verify(), {uid: len(names) for uid, names in done.items()})
    assert two_users.daemons(lab) == daemons, "a daemon has died or was started again"
    after = two_users.settled(daemons, before)
    print({role: (before[role], after[role]) for role in daemons})
    assert all(after[role].mib < before[role].mib + two_users.GROWTH_MIB for role in daemons)
    assert not list(_tracebacks(Path(lab.settings.log_dir)))
    lab.run("crane", "doctor")


def _done(path: Path) -> list[str]:
    """The attacks that one user has finished; none of them may have failed by a mistake of its own."""
    text = path.read_text()
    assert "Traceback" not in text, text[-4000:]
    return [line for line in text.splitlines() if re.fullmatch(r"\w+\.\w+", line)]


def _tracebacks(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_file() and "Traceback" in (text := path.read_text(errors="replace")):
            yield f"{path.name}: {text[text.index('Traceback') :][:1000]}"
