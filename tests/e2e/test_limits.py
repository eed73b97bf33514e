"""A run's time, its second runs, its hooks and its environment, by command, on a real cluster."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crane_celery.gateway import client
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def state(crane: Cluster, job: int) -> str:
    """Return what ``ccontrol show job`` says it is."""
    found = re.search(r"JobState=(\w+)", crane.run("ccontrol", "show", "job", str(job)).stdout)
    assert found
    return found[1]


class Enough(Exception):
    """It has come true."""


def until(crane: Cluster, enough: Callable[[], bool]) -> None:
    """Look again whenever the gateway tells that the queue has changed."""

    def look(_: object) -> None:
        if enough():
            raise Enough

    with pytest.raises(Enough):
        client.follow("watch", {"verb": "jobs", "args": {}}, look, str(Path(crane.settings.run_dir) / "gateway.sock"))


def counting(crane: Cluster) -> tuple[int, Path]:
    """A job that counts for as long as it is let, and where."""
    where = crane.work / "count"
    where.unlink(missing_ok=True)
    job = crane.submit("-t", "0:2:0", "--wrap", f"while :; do echo x >> {where}; sleep 0.02; done")
    until(crane, where.exists)
    return job, where


def test_the_limit_ends_a_job(crane: Cluster) -> None:
    job = crane.submit("-t", "0:0:1", "--wrap", "sleep 300")
    assert crane.wait(job) == {job: 325}
    assert state(crane, job) == "ExceedTimeLimit"


def test_the_deadline_ends_a_job(crane: Cluster) -> None:
    job = crane.submit("--deadline", "now+2s", "--wrap", "sleep 300")
    assert crane.wait(job) == {job: 330}
    assert state(crane, job) == "Deadline"


def test_a_limit_that_is_shortened_while_it_runs(crane: Cluster) -> None:
    job, _ = counting(crane)
    crane.run("ccontrol", "update", f"jobid={job}", "timelimit=0:0:1")
    assert crane.wait(job) == {job: 325}


def test_a_warning_comes_before_the_limit(crane: Cluster) -> None:
    script = "#!/bin/bash\ntrap 'echo warned; exit 9' USR1\nwhile :; do sleep 0.05; done\n"
    job = crane.submit("-t", "0:0:20", "--signal", "B:USR1@18", "-o", "%j.out", stdin=script)
    assert crane.wait(job) == {job: 9}
    assert (crane.work / f"{job}.out").read_text() == "warned\n"


def test_a_lead_that_is_longer_than_the_limit_is_sent_at_once_to_every_element(crane: Cluster) -> None:
    script = "#!/bin/bash\ntrap 'echo warned; exit 9' USR1\nwhile :; do sleep 0.05; done\n"
    job = crane.submit("-a", "0-1", "-t", "0:1:0", "--signal", "B:USR1@60", "-o", "%A_%a.out", stdin=script)
    assert crane.wait(job) == {job: 9}
    assert [(crane.work / f"{job}_{index}.out").read_text() for index in (0, 1)] == ["warned\n"] * 2


def test_a_limit_that_is_shortened_past_the_moment_of_the_warning(crane: Cluster) -> None:
    up = crane.work / "up"
    script = f"#!/bin/bash\n(trap 'exit 9' USR1; touch {up}; while :; do sleep 0.05; done)\nexit $?\n"
    job = crane.submit("-t", "1:0:0", "--signal", "USR1@600", stdin=script)
    until(crane, up.exists)
    crane.run("ccontrol", "update", f"jobid={job}", "timelimit=0:5:0")
    assert crane.wait(job) == {job: 9}


def test_a_warning_without_a_limit_is_noticed(crane: Cluster) -> None:
    done = crane.run("cbatch", "--signal", "USR1", "--wrap", "true")
    assert "--signal=USR1@60 is not sent while the job has no time limit" in done.stderr


@pytest.mark.parametrize("killed", ["", "node.", "shepherd."])
def test_suspended_it_stands_still_whoever_is_killed_meanwhile(own_crane: Cluster, killed: str) -> None:
    job, where = counting(own_crane)
    own_crane.run("ccontrol", "suspend", str(job))
    until(own_crane, lambda: state(own_crane, job) == "Suspended")
    if killed:
        own_crane.kill_all(killed)
    before = where.stat().st_size
    other = own_crane.submit("--wrap", "sleep 0.5")  # both nodes answer again
    assert own_crane.wait(other) == {other: 0}
    assert where.stat().st_size == before and state(own_crane, job) == "Suspended"
    own_crane.run("ccontrol", "resume", str(job))
    until(own_crane, lambda: state(own_crane, job) == "Running")
    until(own_crane, lambda: where.stat().st_size > before)
    own_crane.run("ccancel", str(job))
    assert own_crane.wait(job) == {job: 320}


def test_a_suspended_job_is_cancelled(crane: Cluster) -> None:
    job, _ = counting(crane)
    crane.run("ccontrol", "suspend", str(job))
    until(crane, lambda: state(crane, job) == "Suspended")
    crane.run("ccancel", str(job))
    assert crane.wait(job) == {job: 320}


def test_a_second_run_knows_it_and_writes_where_it_was_told(crane: Cluster) -> None:
    script = '#!/bin/sh\necho "run ${CRANE_RESTART_COUNT-first}"; [ "$CRANE_RESTART_COUNT" = 2 ] || exit 3\n'
    args = ("--requeue", "--open-mode", "append")
    both, each = crane.submit(*args, "-o", "%j.out", stdin=script), crane.submit(*args, "-o", "%j.%r.out", stdin=script)
    assert crane.wait(both, each) == {both: 0, each: 0}
    assert (crane.work / f"{both}.out").read_text() == "run first\nrun 1\nrun 2\n"
    assert [(crane.work / f"{each}.{run}.out").read_text() for run in (1, 2, 3)] == [
        "run first\n",
        "run 1\n",
        "run 2\n",
    ]


def test_a_rerun_truncates_unless_told_otherwise(crane: Cluster) -> None:
    script = '#!/bin/sh\necho "run ${CRANE_RESTART_COUNT-first}"; exit $(( 1 - ${CRANE_RESTART_COUNT-0} ))\n'
    job = crane.submit("--requeue", "-o", "%j.out", stdin=script)
    assert crane.wait(job) == {job: 0}
    assert (crane.work / f"{job}.out").read_text() == "run 1\n"


def test_an_array_submitted_from_within_an_array_is_its_own(crane: Cluster) -> None:
    inner = "env | grep -c CRANE_ARRAY"
    outer = f"cbatch --parsable -o inner.out --wrap '{inner}'; env | grep -c CRANE_ARRAY"
    job = crane.submit("-a", "5", "--wrap", outer)
    assert crane.wait(job) == {job: 0}
    number, count = (crane.work / f"Crane-{job}_5.out").read_text().split()
    assert count == "6"
    crane.wait(int(number))
    assert (crane.work / "inner.out").read_text() == "0\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["-D", "/nonexistent"], 323),
        (["-i", "/nonexistent"], 323),
        (["-o", "/proc/nope/o"], 323),
        (["--interpreter", "/nonexistent/sh"], 327),
    ],
)
def test_a_launch_that_fails_says_why(crane: Cluster, args: list[str], code: int) -> None:
    job = crane.submit(*args, stdin="#!/bin/sh\ntrue\n")
    assert crane.wait(job) == {job: code}
    assert state(crane, job) == "Failed"


def hook(folder: Path, name: str, text: str) -> Path:
    """A program of the administrators."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def hooked() -> Iterator[Cluster]:
    """A cluster of one node with all hooks; its prolog fails where a file says so."""
    with cluster(nodes=1) as made:
        say = f'echo "$CRANE_HOOK $CRANE_JOB_ID $CRANE_JOB_USER $CRANE_JOB_EXIT_CODE" >> {made.folder}/said'
        prolog = hook(made.folder, "prolog", f"{say}\ntest ! -e {made.folder}/broken")
        epilog = hook(made.folder, "epilog", say)
        task = hook(made.folder, "task", "echo export SET=$CRANE_JOB_ID.${CRANE_STEP_ID-script}; echo print hello")
        past = hook(made.folder, "past", 'echo "past ${CRANE_STEP_ID-script} $CRANE_TASK_EXIT_CODE"')
        made.down()
        tasks = f"TaskProlog: {task}, TaskEpilog: {past}"
        with (made.home / "config.yaml").open("a") as file:
            file.write(f"JobLifecycleHook: {{Prolog: {prolog}, Epilog: {epilog}, {tasks}}}\n")
        made.run("crane", "up")
        yield made


def test_hooks_around_a_job_its_tasks_and_a_failure(hooked: Cluster) -> None:
    job = hooked.submit("-o", "%j.out", "--wrap", "echo $SET; crun sh -c 'echo $SET'; exit 4")
    assert hooked.wait(job) == {job: 4}
    around = f"hello\n{job}.script\nhello\n{job}.2\npast 2 0:0\npast script 4:0\n"
    assert (hooked.work / f"{job}.out").read_text() == around
    said = [line.split() for line in (hooked.folder / "said").read_text().splitlines()]
    assert [words[:2] for words in said] == [["prolog", str(job)], ["epilog", str(job)]]
    assert said[1][3] == "4:0"
    (hooked.folder / "broken").touch()
    job = hooked.submit("--wrap", "true")
    assert hooked.wait(job) == {job: 329}
    assert "prolog" in hooked.run("cinfo", "-R").stdout
    (hooked.folder / "broken").unlink()
    hooked.run("ccontrol", "update", "nodename=n1", "state=resume")
    job = hooked.submit("--wrap", "true")
    assert hooked.wait(job) == {job: 0}
