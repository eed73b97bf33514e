"""A role on a host of its own says in one line what it lacks, before it becomes a daemon."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import ROOT

CONFIG = """\
ServerUrl: redis://:secret@192.0.2.1:6379/0
Nodes:
  - {name: "n[1-2]", cpu: 1, memory: 1G}
"""


def crane(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """A sub-command with the configuration of a folder."""
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRANE_")}
    argv = [sys.executable, "-m", "cli.crane", *args, "--config", str(config)]
    return subprocess.run(
        argv, env={**kept, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("node", "--name", "n3"), "no node 'n3' is defined"),
        (("node", "--name", "n1"), "launch.pub: No such file or directory; copy it from a scheduler's host"),
        (("scheduler",), "launch.key: No such file or directory; copy it"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    done = crane(tmp_path, *args)
    assert done.returncode == 6
    assert says in done.stderr
    assert done.stderr.count("\n") == 1 and "secret" not in done.stderr


def test_keys_are_made_once_and_only_one_half_may_be_read_by_others(tmp_path: Path) -> None:
    assert crane(tmp_path, "keys").stdout.startswith("made:")
    private, public = tmp_path / "keys/launch.key", tmp_path / "keys/launch.pub"
    before = private.read_bytes(), public.read_bytes()
    assert crane(tmp_path, "keys").stdout.startswith("there already:")
    assert before == (private.read_bytes(), public.read_bytes())
    assert [path.stat().st_mode & 0o777 for path in (private, public)] == [0o600, 0o644]


def test_going_down_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    assert "is down (it was not up)" in crane(tmp_path, "down").stdout
