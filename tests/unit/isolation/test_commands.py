"""The installed commands are deaf to the caller's Python: its variables, its user site, the current directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crane_celery import isolated
from crane_celery.isolated import start
from tests.support.hostile import VARIABLES, fill, variables

BIN = Path(sys.executable).parent
COMMANDS = sorted(path.stem for path in (Path(__file__).parents[3] / "cli").glob("c*.py"))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder full of modules of the user's."""
    fill(tmp_path)
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, **more}


def run(folder: Path, *argv: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = environment(**more)
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False, input="", timeout=60)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_hears_none_of_them(hostile: Path, command: str) -> None:
    done = run(hostile, BIN / command, "--help", **variables(hostile))
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith(f"usage: {command}")


@pytest.mark.parametrize("name", VARIABLES)
def test_each_alone_does_nothing(hostile: Path, name: str) -> None:
    done = run(hostile, BIN / "cqueue", "--help", **{name: variables(hostile)[name]})
    assert (done.returncode, done.stderr) == (0, ""), done


def test_the_user_site_of_the_home_directory_is_not_read(hostile: Path) -> None:
    (hostile / ".local").symlink_to(hostile / "user")
    done = run(hostile, BIN / "cqueue", "--help", HOME=str(hostile))
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.parametrize("how", ["link", "link of a link", "relative", "found on PATH", "a path with blanks"])
def test_a_command_is_found_however_it_is_called(tmp_path: Path, how: str) -> None:
    (tmp_path / "one").symlink_to(BIN / "cinfo")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "with a blank").symlink_to(BIN)
    called = {
        "link": tmp_path / "one",
        "link of a link": tmp_path / "two",
        "relative": "with a blank/cinfo",
        "found on PATH": "cinfo",
        "a path with blanks": tmp_path / "with a blank" / "cinfo",
    }
    done = run(tmp_path, "/bin/sh", "-c", '"$@"', "sh", called[how], "--help", PATH=f"{BIN}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, ""), done


def test_a_command_knows_the_name_that_it_was_called_by(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, called in (("cbatch:sbatch", "/x/sbatch"), ("cbatch:cbatch", "/x/cbatch"), ("cbatch", "/x/cbatch")):
        monkeypatch.setattr("sys.argv", ["crane-start", given, "--version"])
        with pytest.raises(SystemExit):
            start("/x")
        assert sys.argv == [called, "--version"]


def test_the_interpreter_is_the_one_that_the_installer_chose(tmp_path: Path) -> None:
    """Copied elsewhere, where no python is beside them: the first line of crane-start says which."""
    for name in ("cinfo", "crane-start"):
        shutil.copy(BIN / name, tmp_path)
    first = (tmp_path / "crane-start").read_text().partition("\n")[0]
    assert os.path.realpath(first.removeprefix("#!")) == os.path.realpath(sys.executable)
    assert run(tmp_path, tmp_path / "cinfo", "--help").returncode == 0


def test_a_daemon_says_at_once_what_it_says(tmp_path: Path) -> None:
    """Though it does not hear PYTHONUNBUFFERED, and its output is a pipe."""
    folder = tmp_path / "crane_celery"
    folder.mkdir()
    shutil.copy(isolated.__file__, folder)
    (tmp_path / "daemon.py").write_text("import sys\nprint('ready')\nsys.stdin.read()\n")
    argv = [sys.executable, "-I", folder / "isolated.py", "daemon"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
