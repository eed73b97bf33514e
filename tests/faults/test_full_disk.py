"""Disks that fill up (faults 13 and 14 of reference/peers.md section 8): the server's, a job's output; missing folders.

Before the server's disk is full submissions are refused with a reason; when it is full all the same, what runs runs on,
and is told truly when there is room again, with no manual step. A job whose files cannot be is the only one that fails.
"""

import os
from collections.abc import Iterator

import pytest

from crane_celery.model import states
from crane_celery.supervisor.processes import wait_gone
from tests.support.cluster import PATIENCE_S, Cluster
from tests.support.disk import MIB, cluster_over, disk, fill, top_up

pytestmark = [pytest.mark.root, pytest.mark.faults, pytest.mark.timeout(240)]
CONFIG = """\
ClusterName: full
AllowRoot: true
MinFreeSpace: 16M
Nodes:
  - {name: n1, cpu: 4, memory: 1G}
"""
#: says that it runs, waits for a word, ends with 6
PATIENT = 'echo runs > "$0.says"; read -r word < "$0.gate"; exit 6'


@pytest.fixture(scope="module")
def lab() -> Iterator[Cluster]:
    """A cluster whose home, server, journals and history included, is a small disk."""
    with cluster_over("", 64 * MIB, config=CONFIG) as made:
        yield made


def running(lab: Cluster, name: str) -> int:
    """Start a job that waits for a word; returns when it runs."""
    for end in ("says", "gate"):
        os.mkfifo(lab.work / f"{name}.{end}")
    script = lab.work / name
    script.write_text(f"#!/bin/sh\n{PATIENT}\n")
    job = lab.submit("-o", "/dev/null", "--wrap", f"sh {script}")
    assert (lab.work / f"{name}.says").read_text() == "runs\n"
    return job


def finish(lab: Cluster, name: str) -> None:
    """Say the word."""
    (lab.work / f"{name}.gate").write_text("go\n")


def test_submissions_end_before_the_servers_disk_is_full(lab: Cluster) -> None:
    job = running(lab, "early")
    ballast = fill(lab.home, 8 * MIB)
    refused = lab.run("cbatch", "--array=0-9", "--wrap", "true", code=4).stderr
    assert "8 MB left" in refused or "7 MB left" in refused
    assert str(lab.home) in refused and "MinFreeSpace" in refused
    assert [row["job_id"] for row in lab.json("cqueue")["job_info_list"]] == [job], "nothing was half accepted"
    finish(lab, "early")
    assert lab.wait(job) == {job: 6}
    ballast.unlink()
    after = lab.submit("-o", "/dev/null", "--wrap", "true")
    assert lab.wait(after) == {after: 0}
    assert after == job + 1, "no id was used up"


def test_what_runs_outlives_a_disk_that_is_full_to_the_last_byte(lab: Cluster) -> None:
    """The server ends when it can keep nothing more; the supervisor brings it back when it can."""
    job = running(lab, "through")
    server = lab.pids()["server"]
    ballast = fill(lab.home, 0)
    assert "MB left" in lab.run("cbatch", "--wrap", "true", code=4).stderr
    finish(lab, "through")
    for _ in range(int(PATIENCE_S)):
        top_up(ballast)  # scripts of jobs that are over leave the spool meanwhile
        if not wait_gone([server], 1.0):
            break
    else:
        pytest.fail("it goes on with what it cannot keep")
    ballast.unlink()
    assert lab.wait(job) == {job: 6}
    after = lab.submit("-o", "/dev/null", "--wrap", "exit 2")
    assert lab.wait(after) == {after: 2}


def ended(lab: Cluster, job: int) -> tuple[int, str]:
    """A job's stored code and what `ccontrol show job` says of it."""
    code = lab.wait(job)[job]
    return code, lab.run("ccontrol", "show", "job", str(job)).stdout


def test_a_full_disk_of_the_output_is_the_jobs_own_affair(lab: Cluster) -> None:
    with disk(lab.work / "small", MIB) as small:
        other = lab.submit("-o", "other.out", "--wrap", "echo fine")
        job = lab.submit("-o", str(small / "out"), "--wrap", "head -c 4000000 /dev/zero")
        code, _ = ended(lab, job)
        assert 0 < code < 256, "the program's own failure"
        assert (small / "out").stat().st_size <= MIB
        assert lab.wait(other) == {other: 0}


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("-D", "/nowhere/at/all"), states.FILE_NOT_FOUND, "working directory /nowhere/at/all: No such file"),
        (("-o", "/proc/nowhere/out"), states.FILE_NOT_FOUND, "output file /proc/nowhere/out: No such file"),
        (("-o", "/dev/null/out"), states.FILE_NOT_FOUND, "output file /dev/null/out: Not a directory"),
        (("-o", "/sys/kernel/out"), states.PERMISSION, "output file /sys/kernel/out: Permission denied"),
        (("-i", "/nowhere/in"), states.FILE_NOT_FOUND, "input file /nowhere/in: No such file"),
    ],
)
def test_only_the_job_whose_files_cannot_be_fails(lab: Cluster, options: tuple[str, ...], code: int, says: str) -> None:
    other = lab.submit("-o", "/dev/null", "--wrap", "true")
    job = lab.submit("-o", "/dev/null", *options, "--wrap", "touch ran")
    told, shown = ended(lab, job)
    assert told == code
    assert says in shown
    assert not (lab.work / "ran").exists()
    assert lab.wait(other) == {other: 0}


def test_missing_folders_of_the_output_are_made(lab: Cluster) -> None:
    job = lab.submit("-o", "deep/er/%j.out", "-e", "else/where.err", "--wrap", "echo out; echo err >&2")
    assert lab.wait(job) == {job: 0}
    assert (lab.work / f"deep/er/{job}.out").read_text() == "out\n"
    assert (lab.work / "else/where.err").read_text() == "err\n"
