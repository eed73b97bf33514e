"""Test what people see of a real cluster, by the commands they type."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import PATIENCE_S, Cluster, cluster


@pytest.fixture(scope="module")
def seen() -> Iterator[Cluster]:
    """One cluster for all of these: each looks at its own jobs."""
    with cluster() as made:
        yield made


def listed(made: Cluster, *args: str) -> list[str]:
    """Lines of ``cqueue -N``."""
    return made.run("cqueue", "-N", *args).stdout.splitlines()


def test_an_array_of_held_elements_released_one_by_one(seen: Cluster) -> None:
    """ARR-06, ARR-07, ARR-09."""
    go = seen.work / "go"
    job = seen.submit("--hold", "--array=1-10", "--wrap", f"until test -e {go}; do sleep 0.05; done")
    assert listed(seen, "-j", str(job), "-o", "%i=%t") == [f"{job}_[1-10]=Pending"]
    seen.run("ccontrol", "release", f"{job}_5")
    with watching(seen, "-j", str(job), "-t", "r,p") as lines:
        wait_for(lines, f"{job}_5=Running")
    assert set(listed(seen, "-j", str(job), "-o", "%i=%t")) == {f"{job}_[1-4,6-10]=Pending", f"{job}_5=Running"}
    for name in (f"{job}_5", str(job + 4)):
        assert listed(seen, "-j", name, "-o", "%i=%t") == [f"{job}_5=Running"]
    seen.run("ccancel", str(job))
    seen.wait(job)
    ended = listed(seen, "-j", str(job), "-t", "all", "-o", "%i=%t")
    assert sorted(ended) == sorted(f"{job}_{index}=Cancelled" for index in range(1, 11))


def test_records_of_a_pending_array(seen: Cluster) -> None:
    """ARR-03, ARR-04, ARR-05."""
    job = seen.submit("--hold", "--array=0-7", "--wrap", "true")
    for index in range(8):
        assert f"ArrayJobId={job} ArrayTaskId={index} " in seen.run("ccontrol", "show", "job", f"{job}_{index}").stdout
    shown = seen.run("ccontrol", "show", "job", str(job)).stdout
    assert shown.count("JobId=") == 2 and "ArrayTaskId=0-7 " in shown and "Priority=0 " in shown
    assert listed(seen, "-r", "-j", str(job), "-o", "%i") == [f"{job}_{index}" for index in range(8)]
    seen.run("ccancel", f"{job}_7")
    assert seen.run("ccontrol", "show", "job", f"{job}_7", code=None).returncode != 0
    seen.run("ccancel", str(job))
    assert "JobState=Cancelled" in seen.run("ccontrol", "show", "job", str(job)).stdout
    plain = seen.submit("--hold", "--wrap", "true")
    assert "Array" not in seen.run("ccontrol", "show", "job", str(plain)).stdout
    seen.run("ccancel", str(plain))


def test_waiting_and_what_was_used(seen: Cluster) -> None:
    good, bad = seen.submit("--wrap", "true"), seen.submit("--wrap", "exit 3")
    array = seen.submit("--array=0-2", "--wrap", "exit $CRANE_ARRAY_TASK_ID")
    seen.run("cwait", str(good))
    seen.run("cwait", str(good), str(bad), code=3)
    seen.run("cwait", f"{array}_[0-1]", code=1)
    seen.run("cwait", str(array), code=2)
    held = seen.submit("--hold", "--wrap", "true")
    seen.run("cwait", "--timeout", "1s", str(held), code=124)
    assert "Job Wall-clock time:" in seen.run("ceff", str(good)).stdout
    assert "has not started" in seen.run("ceff", str(held)).stdout
    seen.run("ceff", "99999999", code=4)
    seen.run("ccancel", str(held))
    counts = seen.run("cacct", "--array-summary", "-N", "-j", str(array), "-o", "%j %total %completed %failed").stdout
    assert counts.split() == [str(array), "3", "1", "2"]
    codes = seen.run("cacct", "-N", "-j", str(array), "-o", "%j %e").stdout.splitlines()
    assert [line.split() for line in codes if "." not in line] == [
        [f"{array}_2", "2:0"],
        [f"{array}_1", "1:0"],
        [f"{array}_0", "0:0"],
    ]


def test_steps_of_elements(seen: Cluster) -> None:
    go, here = seen.work / "steps.go", seen.work / "steps.here"
    job = seen.submit("--array=1-2", "--wrap", f"crun sh -c 'touch {here}.$CRANE_ARRAY_TASK_ID; cat {go}.fifo'")
    subprocess.run(["mkfifo", f"{go}.fifo"], check=True)
    with watching(seen, "--step", "-s", str(job), form="%i=%t") as lines:
        wait_for(lines, f"{job}_2.2=Running", f"{job}_1.2=Running")
    assert listed(seen, "--step", "-s", f"{job}_2.0", "-o", "%i") == [f"{job}_2.0"]
    assert "StepId=" in seen.run("ccontrol", "show", "step", f"{job}_1.2").stdout
    seen.run("ccancel", str(job))
    seen.wait(job)


def test_a_signal_for_the_script_alone(seen: Cluster) -> None:
    """The script hears it, the process that it has started does not."""
    script = (
        "#!/bin/sh\ntrap 'echo script >> heard; exit 0' USR1\n"
        "sh -c 'trap \"echo child >> heard\" USR1; touch ready; while :; do sleep 0.05; done' &\n"
        "touch started\nwhile :; do wait; done\n"
    )
    job = seen.submit("-o", "/dev/null", "-D", str(seen.work), stdin=script)
    with watching(seen, "-j", str(job)) as lines:
        wait_for(lines, f"{job}=Running")
    subprocess.run(["sh", "-c", "until test -e ready; do sleep 0.05; done"], cwd=seen.work, check=True, timeout=60)
    seen.run("ccancel", "--signal", "USR1", "--batch", str(job))
    assert seen.wait(job) == {job: 0}
    assert (seen.work / "heard").read_text() == "script\n"


def test_json_of_all_listings(seen: Cluster) -> None:
    job = seen.submit("--hold", "--wrap", "true")
    (row,) = seen.json("cqueue", "-j", str(job))["job_info_list"]
    assert (row["status"], row["held"], row["type"], row["pending_reason"]) == ("Pending", True, "Batch", "Held")
    for command in (["cinfo"], ["cacct", "-m", "1"], ["ccontrol", "show", "node"], ["ccontrol", "show", "lic"]):
        assert seen.json(*command)["ok"] is True
    seen.run("ccancel", str(job))


class watching:
    """``cqueue --watch`` as a context: its lines as they come."""

    def __init__(self, made: Cluster, *args: str, form: str = "%i=%t") -> None:
        argv = [sys.executable, "-u", "-m", "cli.cqueue", "-N", "--watch", "-o", form, *args]
        self._process = subprocess.Popen(argv, env=made.env, cwd=made.work, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Iterator[str]:
        assert self._process.stdout
        return iter(self._process.stdout)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(2)
        assert self._process.wait(60) == 0  # Ctrl-C is how it ends
        assert self._process.stdout
        self._process.stdout.close()


def wait_for(lines: Iterator[str], *wanted: str) -> None:
    """Read until one showing has all of these lines."""
    found: set[str] = set()
    for line in lines:
        found = set() if re.match(r"\d{4}-", line) else found | {line.strip()}
        if found >= set(wanted):
            return
    raise AssertionError(f"never seen together: {wanted}")


def test_what_the_helper_reads() -> None:
    wait_for(iter(["2026-01-01 00:00:00\n", "1=a\n", "2026-01-01 00:00:01\n", "1=b\n", "2=b\n"]), "1=b", "2=b")


def test_output_is_followed_through_a_requeue(seen: Cluster) -> None:
    go = seen.work / "go-on"
    script = f'echo "run $CRANE_RESTART_COUNT"; while [ ! -e {go} ]; do sleep 0.05; done; echo done'
    job = seen.submit("-o", "sub/%j.log", "--hold", "--requeue", "--wrap", script)
    argv = [sys.executable, "-m", "cli.clog", "-f", str(job)]
    with subprocess.Popen(argv, env=seen.env, cwd=seen.work, stdout=-1, stderr=-1, text=True) as following:
        assert following.stdout and following.stderr
        seen.run("ccontrol", "release", str(job))
        assert following.stdout.readline().startswith("run")
        seen.run("ccontrol", "requeue", str(job))
        lines = iter(following.stdout.readline, "")  # a shell may say first that what it waited for was terminated
        assert any(line.startswith("run") for line in lines)
        go.touch()
        assert following.communicate(timeout=PATIENCE_S)[0] == "done\n"
        assert following.returncode == 0
    assert seen.run("clog", "-n1", str(job)).stdout == "done\n"


def test_nothing_foreign_reaches_a_terminal_raw(seen: Cluster) -> None:
    folder = seen.work / "d\n\x1b[31mred\u202e"
    folder.mkdir()
    comment = "x\nJobState=Forged \x1b[2J\u202e\u200b"
    job = seen.submit("-D", str(folder), "--comment", comment, "--wrap", "exit 3")
    seen.wait(job)
    for words in (
        ("ccontrol", "show", "job", str(job)),
        ("ccontrol", "explain", str(job)),
        ("ccontrol", "story", str(job)),
        ("cacct", "-j", str(job), "-o", "%j %k"),
        ("cqueue", "-t", "all", "-j", str(job), "-o", "%j %k"),
        ("clog", str(job)),
    ):
        said = seen.run(*words)
        assert all(line.replace("\t", "").isprintable() for line in (said.stdout + said.stderr).split("\n")), words
    assert r"Comment=x\x0aJobState=Forged \x1b[2J\u202e\u200b" in seen.run("ccontrol", "show", "job", str(job)).stdout
    (row,) = seen.json("cacct", "-j", str(job))["job_info_list"]
    assert row["cwd"] == str(folder)
    for log in Path(seen.settings.log_dir).glob("*.log"):
        assert "\x1b[2J" not in log.read_text(errors="replace"), log
