"""A task prolog: what its output does to the task, and that nothing of it is ever evaluated."""

import os
import pathlib
import signal
import subprocess

import pytest

from workers.common import task_prolog
from workers.common.task_prolog import with_prolog

_SHELLS = [words for words in task_prolog._SHELLS if os.access(words[0], os.X_OK)]


@pytest.fixture(params=_SHELLS, ids=lambda words: os.path.basename(words[0]))
def prolog(request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A program to be written, run by each shell there is."""
    monkeypatch.setattr(task_prolog, "_SHELLS", (request.param,))
    path = tmp_path / "prolog"
    path.touch(0o755)
    return path


def run(prolog: pathlib.Path, text: str, task: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``sh -c task`` after a prolog of this text."""
    prolog.write_text(f"#!/bin/sh\n{text}\n")
    argv = with_prolog(str(prolog), ["/bin/sh", "-c", task, "sh", "an argument"])
    return subprocess.run(
        argv, env={"PATH": os.defpath, **env}, capture_output=True, text=True, input="in", check=False
    )


def test_it_sets_unsets_and_prints(prolog: pathlib.Path) -> None:
    says = "cat <<'END'\nexport A=b c=\"d'\nunset GONE\nprint   hello *\nnothing\nexport EMPTY=\nEND"
    done = run(prolog, says, 'echo "$A|${GONE-gone}|$EMPTY|$1|$(cat)"', GONE="here")
    assert done.stdout == "  hello *\nb c=\"d'|gone||an argument|in\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_of_its_output_is_evaluated(prolog: pathlib.Path, tmp_path: pathlib.Path) -> None:
    trap = tmp_path / "trap"
    says = f"cat <<'END'\nexport A=$(touch {trap})`touch {trap}`\nexport B;touch {trap}=1\nunset C;touch {trap}\nEND"
    done = run(prolog, says, 'printf %s "$A"')
    assert done.stdout == f"$(touch {trap})`touch {trap}`"
    assert not trap.exists()


def test_names_that_cannot_be_are_passed_over(prolog: pathlib.Path) -> None:
    says = "echo 'export 1A=x'; echo 'export A-B=x'; echo 'unset UID'; echo 'export UID=5'; echo 'export OK=1'"
    assert run(prolog, says, "echo $OK").stdout == "1\n"


def test_variables_of_the_user_stay_as_they_were(prolog: pathlib.Path) -> None:
    env = {"line": "1", "name": "2", "hook": "3", "code": "4"}
    assert (
        run(prolog, "echo print x", "echo $line$name$hook$code; env | grep -c __crane", **env).stdout == "x\n1234\n0\n"
    )


def test_when_it_fails_the_task_does(prolog: pathlib.Path) -> None:
    done = run(prolog, "echo print never; exit 7", "echo ran")
    assert (done.returncode, done.stdout) == (7, "")
    assert "failed with exit code 7" in done.stderr


@pytest.mark.parametrize(("task", "status"), [("exit 137", 137), ("kill -9 $$", -signal.SIGKILL)])
def test_the_task_s_own_end_is_told(prolog: pathlib.Path, task: str, status: int) -> None:
    assert run(prolog, "true", task).returncode == status


def test_without_one_the_command_is_as_it_was() -> None:
    assert with_prolog("", ["/bin/true"]) == ["/bin/true"]
