"""``--config FILE`` chooses the cluster, on every command, whatever the environment says."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.service.support import Cluster, serving

ROOT = Path(__file__).parents[4]


@pytest.fixture
def home(cluster: Cluster) -> Iterator[Path]:
    """The home of a cluster whose gateway answers where its configuration says."""
    with tempfile.TemporaryDirectory(prefix="crane-") as folder:
        (Path(folder) / "run").mkdir()
        (Path(folder) / "config.yaml").write_text("Nodes:\n  - name: cn1\n    cpu: 1\n    memory: 1G\n")
        with serving(cluster, Path(folder) / "run" / "gateway.sock"):
            yield Path(folder)


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command as a shell runs it, with other clusters in its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRANE")}
    argv = [sys.executable, "-m", f"cli.{words[0]}", *words[1:]]
    env = {**kept, "PYTHONPATH": str(ROOT), "CRANE_CONNECT_TIMEOUT": "0", **env}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ["cqueue"],
        ["cinfo"],
        ["ccontrol", "show", "node"],
        ["ceff", "1"],
        ["cbatch", "--wrap", "true"],
        ["ccancel", "-u", "nobody"],
    ],
)
def test_it_wins_over_the_environment(home: Path, words: list[str]) -> None:
    env = {"CRANE_SOCKET": "/nowhere/gateway.sock"}
    assert run(*words, **env).returncode == 3
    for option in (["--config", str(home / "config.yaml")], [f"-C{home}/config.yaml"]):
        done = run(words[0], *option, *words[1:], **env)
        assert done.returncode in (0, 4), done.stderr
        assert "gateway" not in done.stderr


def test_another_clusters_home_is_not_taken(home: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text((home / "config.yaml").read_text())
    assert run("cqueue", "--config", str(home / "config.yaml"), CRANE_HOME=str(tmp_path)).returncode == 0
    assert run("cqueue", "--config", str(tmp_path / "config.yaml"), CRANE_HOME=str(home)).returncode == 3


def test_a_file_of_another_place_with_the_home_around(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    (home / "config.yaml").rename(file)
    assert run("cqueue", "--config", str(file), CRANE_HOME=str(home)).returncode == 0


def test_what_is_no_configuration(tmp_path: Path) -> None:
    done = run("cqueue", "--config", str(tmp_path / "none.yaml"))
    assert (done.returncode, done.stderr.count("\n")) == (6, 1) and "none.yaml: No such file" in done.stderr


def test_a_script_chooses_no_cluster(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/sh\n#CBATCH --config /etc/x.yaml\ntrue\n")
    done = run("cbatch", str(script), CRANE_SOCKET=str(home / "run" / "gateway.sock"))
    assert done.returncode == 2 and "on the command line" in done.stderr


def test_administration_is_about_it_too(home: Path, tmp_path: Path) -> None:
    done = run("crane", "config", "--config", str(home / "config.yaml"), CRANE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"# {home}/config.yaml"), done.stderr
