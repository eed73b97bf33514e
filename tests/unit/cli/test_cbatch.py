"""cbatch: scripts good and bad, options, directives, answers, exit codes."""

import io
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from crane_celery.store.api import Submission
from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster

SCRIPT = "#!/bin/bash\n#SBATCH -J named --mem=1G\n#CBATCH --time 10\necho hi\n"


def write(path: Path, text: str | bytes) -> str:
    """A script in a file; its name."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path.name


def test_a_script_with_directives_and_arguments(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    said = shell("cbatch", "-t", "5", write(tmp_path / "a.sh", SCRIPT), "-x", "two words")
    assert said == (0, "Job id allocated: 1.\n", "")
    job, body = cluster.store.job(1), cluster.store.body(1)
    assert job is not None and body is not None
    assert (job.spec.name, job.spec.memory, job.spec.time_limit) == ("named", 1 << 30, 300)
    assert json.loads(body)["argv"] == ["-x", "two words"]
    assert (job.spec.cwd, job.spec.uid) == (str(tmp_path), os.getuid())


def test_wrap_and_standard_input(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell("cbatch", "--wrap", "echo $X").out == "Job id allocated: 1.\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"echo no shebang \xff\n")))
    assert shell("cbatch", "--parsable").out == "2\n"
    names = [job.spec.name for job in cluster.store.jobs()]
    assert sorted(names) == ["Wrap", "stdin"]
    body = cluster.store.body(2)
    assert body is not None and os.fsencode(json.loads(body)["script"]) == b"echo no shebang \xff\n"


def test_answers(shell: Shell) -> None:
    assert json.loads(shell("cbatch", "--json", "--wrap", "true").out) == {"ok": True, "job_id": 1}
    assert shell("cbatch", "--repeat", "3", "--wrap", "true").out == "Job id allocated: 2, 3, 4.\n"
    assert shell("cbatch", "--array=0-999999", "--parsable", "--wrap", "true").out == "5\n"
    refused = shell("cbatch", "--json", "-c", "99", "--wrap", "true")
    assert refused.code == 4 and json.loads(refused.out)["code"] == "E_INFEASIBLE"


def test_a_refusal(shell: Shell) -> None:
    said = shell("cbatch", "-c", "17", "--wrap", "true")
    assert said.code == 4 and said.out == ""
    assert said.err.startswith("Job allocation failed: 17 CPUs") and said.err.endswith(".\n")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the script is empty"),
        (b"\x7fELF\x01\0\0", "binary file"),
        (b"#!/bin/sh\r\ntrue\r\n", "DOS line breaks"),
        (b"#!/bin/sh\r\n#SBATCH -J x\r\n", "DOS line breaks"),
        (b"#SBATCH --tiem=3\n", "s:1 #SBATCH: unknown option '--tiem'; did you mean '--time'?"),
        (b"\n#CBATCH --time=soon\n", "s:2 #CBATCH: --time: bad time span"),
        (b"#CBATCH -N\n", "s:1 #CBATCH"),
        (b"#CBATCH stray\n", "'stray' is no option"),
        (b"#CBATCH --comment='open\n", "left open"),
    ],
)
def test_bad_scripts(shell: Shell, tmp_path: Path, content: bytes, text: str) -> None:
    said = shell("cbatch", write(tmp_path / "s", content))
    assert said.code == 2 and text in said.err


def test_scripts_that_cannot_be_read(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no such file" in shell("cbatch", "none.sh").err
    assert "directory" in shell("cbatch", ".").err

    def deny(*_args: object, **_named: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    said = shell("cbatch", "secret.sh")
    assert said.code == 2 and "cannot be read" in said.err


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("--tiem", "5", "x"), 2, "did you mean '--time'?"),
        (("--pod", "x"), 1, "--pod is not supported yet"),
        (("--requeue", "--no-requeue", "x"), 2, "not allowed with argument --requeue"),
        (("--begin", "later", "--wrap", "a"), 2, "--begin: bad time 'later'"),
        (("-L", "a:1", "--wrap", "a"), 4, "no licence 'a'"),
        (("--reservation=r", "x"), 1, "not supported yet"),
        (("--wrap", ""), 2, "the command is empty"),
        (("--wrap", "a", "b"), 2, "excludes a script"),
        (("--export", "=", "--wrap", "a"), 2, "bad export"),
        (("-J", "a\nb", "--wrap", "a"), 2, "line break"),
        (("--array", "3-1", "--wrap", "a"), 2, "--array"),
        (("-d", "afterok:100,afterok:101?afterok:102", "--wrap", "a"), 2, "cannot be mixed"),
        (("-d", "after:1+00:00:02", "--wrap", "a"), 2, "+2s"),
        (("-d", "afterok:99999", "--wrap", "a"), 4, "99999"),
    ],
)
def test_bad_options(shell: Shell, cluster: Cluster, argv: tuple[str, ...], code: int, text: str) -> None:
    said = shell("cbatch", *argv)
    assert (said.code, said.out) == (code, "")
    assert text in said.err
    assert cluster.store.jobs() == []


@pytest.mark.parametrize("name", ["it's", 'a "quoted" one', "ünïcode ☃", "$(rm -rf /)", "%j;`x`"])
def test_names_are_kept_as_they_are(shell: Shell, cluster: Cluster, name: str) -> None:
    assert shell("cbatch", "-J", name, "--wrap", "true").code == 0
    assert [job.spec.name for job in cluster.store.jobs()] == [name]
    assert name in shell("cqueue").out


def test_the_environment_travels(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEP", "1")
    monkeypatch.setenv("CRANE_X", "2")
    shell("cbatch", "--wrap", "true")
    shell("cbatch", "--export=NIL", "--wrap", "true")
    shell("cbatch", "--export=A=5,KEEP", "--wrap", "true")
    bodies = [json.loads(cluster.store.body(id) or b"{}")["env"] for id in (1, 2, 3)]
    assert bodies[0]["KEEP"] == "1" and "PATH" in bodies[0]
    assert "KEEP" not in bodies[1] and bodies[1]["CRANE_X"] == "2"
    assert (bodies[2]["A"], bodies[2]["KEEP"]) == ("5", "1") and "PATH" not in bodies[2]


def test_options_without_effect_are_accepted_with_one_notice(shell: Shell) -> None:
    said = shell("cbatch", "-A", "acc", "-q", "high", "--mail-user", "me", "--comment", "a b", "--wrap", "true")
    assert (said.code, said.out) == (0, "Job id allocated: 1.\n")
    assert said.err.count("\n") == 1 and "--account, --qos, --mail-user, --comment" in said.err


def test_wait_returns_the_jobs_exit_code(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted = threading.Event()
    accept = cluster.store.submit

    def told(jobs: Sequence[Submission], keys: Sequence[str]) -> list[int]:
        ids = accept(jobs, keys)
        submitted.set()
        return ids

    monkeypatch.setattr(cluster.store, "submit", told)

    def finish() -> None:
        submitted.wait(30)
        cluster.run(1, 0, code=3)
        cluster.run(1, 1, code=256 + 9)

    worker = threading.Thread(target=finish)
    worker.start()
    said = shell("cbatch", "--wait", "--array=0-1", "--wrap", "true")
    worker.join(30)
    assert (said.code, said.out) == (128 + 9, "Job id allocated: 1.\n")


def test_no_gateway(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANE_SOCKET", "/nonexistent/socket")
    said = shell("cbatch", "--wrap", "true")
    assert said.code == 3 and "crane up" in said.err
