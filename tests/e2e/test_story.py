"""Test what has happened to a job, told by ``ccontrol story`` on a real cluster."""

import re

from tests.support.cluster import Cluster


def told(crane: Cluster, *names: str) -> list[str]:
    """Lines of the story without their times."""
    lines = crane.run("ccontrol", "story", *names).stdout.splitlines()
    return [re.sub(r"^\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d +", "", line) for line in lines]


def test_the_story_of_a_job(crane: Cluster) -> None:
    job = crane.submit("--hold", "--wrap", "exit 3")
    assert told(crane, str(job))[0] == f"JobId={job}"
    assert [line.split()[0] for line in told(crane, str(job))[1:]] == ["submitted", "held"]
    crane.run("ccontrol", "update", f"jobid={job}", "comment=mine")
    crane.run("ccontrol", "release", str(job))
    crane.wait(job)
    story = "\n".join(told(crane, str(job)))
    for line in (r"changed.*: comment=mine", r"released", r"run 1 was given .* on ", r"run 1 began"):
        assert re.search(line, story), story
    assert story.splitlines()[-1].startswith("run 1 ended Failed, exit code 3")


def test_the_story_of_an_array(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=0-999", "--wrap", "true")
    crane.run("ccancel", f"{job}_[1-999]")
    crane.run("ccontrol", "release", str(job))
    crane.wait(job)
    assert any(line.startswith(f"{job}_[1-999]: cancelled by ") for line in told(crane, str(job)))
    assert "the last of 1 run that ended Completed" in told(crane, str(job))
    assert told(crane, f"{job}_7")[-1].startswith("cancelled by ")
