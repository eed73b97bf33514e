"""Jobs that may start in several shapes, and options of other systems that act, on a real cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_scheduling import running, until
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def crane() -> Iterator[Cluster]:
    """Two nodes of 4 CPUs, each in a partition of its own, too."""
    with cluster() as made:
        made.down()
        config = Path(made.settings.path)
        names = sorted(made.settings.nodes)
        text = config.read_text()
        head, mark, rest = text.partition("Partitions:\n")
        assert mark and len(names) == 2
        own = "".join(f"  - {{name: p{number}, nodes: {name}}}\n" for number, name in enumerate(names, 1))
        config.write_text(f"{head}{mark}{own}{rest}")
        made.up()
        yield made


def test_a_job_starts_in_the_first_partition_that_has_room(crane: Cluster) -> None:
    go = crane.work / "go-partition"
    first = crane.submit("-p", "p1", "-c", "4", "--wrap", until(go))
    running(crane, first)
    second = crane.submit("-p", "p1,p2", "-c", "4", "--wrap", "echo $CRANE_JOB_PARTITION")
    assert crane.wait(second) == {second: 0}
    assert (crane.work / f"Crane-{second}.out").read_text() == "p2\n"
    assert crane.run("cacct", "-j", str(second), "-o", "%P", "-N").stdout == "p2\n"
    go.touch()
    assert crane.wait(first) == {first: 0}


def test_a_range_of_nodes_takes_what_is_free(crane: Cluster) -> None:
    go = crane.work / "go-nodes"
    count = "echo $CRANE_JOB_NUM_NODES"
    wide = crane.submit("-N", "1-2", "-c", "4", "--wrap", count)
    assert crane.wait(wide) == {wide: 0}
    first = crane.submit("-p", "p1", "-c", "4", "--wrap", until(go))
    running(crane, first)
    narrow = crane.submit("-N", "1-2", "-c", "4", "--wrap", count)
    assert crane.wait(narrow) == {narrow: 0}
    shown = [(crane.work / f"Crane-{job}.out").read_text() for job in (wide, narrow)]
    assert shown == ["2\n", "1\n"]
    go.touch()
    assert crane.wait(first) == {first: 0}


def test_tasks_without_nodes_go_on_several(crane: Cluster) -> None:
    job = crane.submit("-n", "6", "--wrap", "echo $CRANE_JOB_NUM_NODES $CRANE_NTASKS")
    assert crane.wait(job) == {job: 0}
    assert (crane.work / f"Crane-{job}.out").read_text() == "2 6\n"
