"""Test how a worker takes its node up: by CRANE_NODE, and with what jobs are told of the place."""

import os
import pathlib
import sys

import pytest

from crane_celery.errors import ConfigError
from crane_celery.settings import load
from workers.agent import bootsteps
from workers.agent.bootsteps import Node, place_of


@pytest.fixture(autouse=True)
def config(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A cluster of one node, as the worker's environment names it."""
    path = tmp_path / "config.yaml"
    path.write_text("ClusterName: t\nNodes: [{name: n1, cpu: 1, memory: 1G}]\n")
    monkeypatch.setenv("CRANE_CONFIG", str(path))
    monkeypatch.setenv("CRANE_HOME", str(tmp_path))
    return path


@pytest.mark.parametrize("name", ["", "n2"])
def test_a_worker_that_is_no_node_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANE_NODE", name)
    with pytest.raises(ConfigError, match="names no node of"):
        Node(None)


def test_stopping_what_never_started_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRANE_NODE", "n1")
    Node(None).stop(None)
    assert bootsteps.agent is None


def test_sockets_are_real_paths_and_commands_only_where_they_are_missing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "crun").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(bootsteps.shutil, "which", lambda *_, **__: None)
    place = place_of(settings, "n1")
    assert (place.node, place.cluster, place.commands) == ("n1", "t", str(tmp_path / "bin"))
    assert os.path.dirname(place.socket) == os.path.realpath(settings.node_run_dir("n1"))
    monkeypatch.setattr(bootsteps.shutil, "which", lambda *_, **__: "/usr/bin/crun")
    assert place_of(settings, "n1").commands == ""
