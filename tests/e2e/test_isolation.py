"""A user whose surroundings break every Python: commands and daemons do not notice, jobs get them as they are."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.hostile import fill, variables

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BIN = Path(sys.executable).parent
#: names that a shell in between would lose: an exported function of bash, and a name with a dot
ODD = {"BASH_FUNC_greet%%": "() {  echo hello\n}", "a.b": "1", "EMPTY": "", "BYTES": os.fsdecode(b"\xff\n\x01")}

#: what the job's bash, or the node, sets
OF_SHELLS = {"PATH", "SHLVL", "PWD", "OLDPWD", "_", "USER", "LOGNAME", "SHELL"}


class Installed(Cluster):
    """A cluster whose commands are the installed ones, called in a folder full of broken modules."""

    def run(
        self, command: str, *args: str, stdin: str = "", code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """As Cluster.run."""
        argv = [str(BIN / command), *args]
        given = {**self.env, **(env or {})}
        done = subprocess.run(argv, env=given, cwd=self.work, input=stdin, capture_output=True, text=True, check=False)
        assert code is None or done.returncode == code, (argv, done)
        return done


@pytest.fixture(scope="module")
def surrounded() -> Iterator[Installed]:
    """A cluster that was started, and is used, by somebody with such surroundings; commands not on PATH."""
    folder = Path(tempfile.mkdtemp(prefix="crane-test-", dir="/tmp"))
    folder.chmod(0o755)
    made = Installed(folder)
    fill(made.work)
    made.env = {**made.env, **variables(made.work), **ODD, "PATH": "/usr/bin:/bin"}
    try:
        made.up("--nodes", "1", "--cpus", "2", "--mem", "1G", "--gres", "gpu:2", "--name", f"t{folder.name[-8:]}")
        yield made
        made.down()
    finally:
        made.run("crane", "down", code=None)
        shutil.rmtree(folder, ignore_errors=True)


def block(path: Path) -> dict[str, str]:
    """Return what ``env -0`` wrote."""
    entries = (os.fsdecode(entry).partition("=") for entry in path.read_bytes().split(b"\0") if entry)
    return {name: value for name, _, value in entries}


def test_a_job_and_its_step_get_the_variables_as_they_are(surrounded: Installed) -> None:
    script = "#!/bin/bash\nenv -0 > job.env\ncrun env -0 > step.env\n"  # sh would lose the odd ones before env
    job = surrounded.submit("-o", "said", stdin=script)
    assert surrounded.wait(job) == {job: 0}, (surrounded.work / "said").read_text()
    for name in ("job.env", "step.env"):
        got = block(surrounded.work / name)
        ours = {name for name in got if name.startswith("CRANE_")} | OF_SHELLS
        expected = {name: value for name, value in surrounded.env.items() if name not in ours | {"CRANE_HOME"}}
        assert {name: value for name, value in got.items() if name not in ours} == expected
        assert "CRANE_ENVIRON" not in got


def test_a_job_submitted_by_a_step_has_nothing_of_the_job_around_it(surrounded: Installed) -> None:
    inner = "cbatch --parsable -o /dev/null --wrap 'env -0 > inner.env; echo $$ > inner.done'"
    script = f"#!/bin/bash\nexport MINE=yes CRANE_OWN=1\ncrun {inner} > inner.id\n"
    options = ("--array", "3", "--gres", "gpu:1", "-t", "10", "-o", "said")
    outer = surrounded.submit(*options, stdin=script)
    assert surrounded.wait(outer) == {outer: 0}, (surrounded.work / "said").read_text()
    job = int((surrounded.work / "inner.id").read_text())
    assert surrounded.wait(job) == {job: 0}
    got = block(surrounded.work / "inner.env")
    assert (got["MINE"], got["CRANE_OWN"], got["CRANE_JOB_ID"]) == ("yes", "1", str(job))
    strange = ("CUDA_VISIBLE_DEVICES", "CRANE_GPUS", "CRANE_STEP_ID", "CRANE_JOB_END_TIME", "SLURM_JOB_ID")
    assert not [name for name in got if name in strange or name.startswith("CRANE_ARRAY")]


@pytest.mark.parametrize("chosen", [{}, {"LC_CTYPE": "C"}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}], ids=str)
def test_a_job_has_the_locale_that_its_user_has(surrounded: Installed, chosen: dict[str, str]) -> None:
    def of_locale(env: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in env.items() if name == "LANG" or name.startswith("LC_")}

    before = surrounded.env
    surrounded.env = {name: value for name, value in before.items() if name not in of_locale(before)} | chosen
    try:
        job = surrounded.submit("-o", "/dev/null", "--wrap", "env -0 > job.env; crun env -0 > step.env")
        assert surrounded.wait(job) == {job: 0}
    finally:
        surrounded.env = before
    assert of_locale(block(surrounded.work / "job.env")) == of_locale(block(surrounded.work / "step.env")) == chosen


def test_a_listing_and_a_control_command_work(surrounded: Installed) -> None:
    job = surrounded.submit("--hold", "--wrap", "true")
    assert str(job) in surrounded.run("cqueue").stdout
    for command, *args in (["ccontrol", "release", str(job)], ["cwait", str(job)], ["cacct"], ["cinfo"], ["ceff", "1"]):
        assert surrounded.run(command, *args).stderr == ""
    assert surrounded.run("crane", "doctor").returncode == 0


def test_no_daemon_has_them(surrounded: Installed) -> None:
    for role, record in surrounded.pids().items():
        found = Path(f"/proc/{record.pid}/environ").read_bytes().split(b"\0")
        if role != "supervisor":
            assert not [entry for entry in found if entry.startswith(b"PYTHON")], role


def test_a_daemon_that_is_started_again_works(surrounded: Installed) -> None:
    for role in ("node.n1", "scheduler", "gateway", "recorder"):
        surrounded.kill(role)
    surrounded.kill_all("shepherd.")
    job = surrounded.submit("--wrap", "true")
    assert surrounded.wait(job) == {job: 0}
