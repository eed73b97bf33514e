"""Fixtures: the commands, before the gateway of tests/unit/conftest.py, and a cluster with jobs of every kind."""

from pathlib import Path

import pytest

from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster


@pytest.fixture
def shell(gateway: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Commands against the gateway, in an empty directory, as somebody whose surroundings are known."""
    assert gateway
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("CQUEUE_ARRAY", raising=False)
    monkeypatch.delenv("SQUEUE_ARRAY", raising=False)
    return Shell(capsys)


@pytest.fixture
def busy(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """An array of 6 with one running, a held job, a job that waits for the array, one with all options."""
    monkeypatch.setattr("crane_celery.service.shared.caller.user_name", lambda _uid: "alice")
    monkeypatch.setattr("os.getcwd", lambda: "/work/dir")
    shell("cbatch", "--array=0-4,7%2", "-J", "sweep", "-t", "30", "--wrap", "true")
    shell("cbatch", "--hold", "--wrap", "true")
    shell("cbatch", "-d", "afterok:1+1h", "-J", "merge", "--wrap", "true")
    shell("cbatch", "-c", "2", "--mem=2G", "--gres=gpu:a100:1", "-w", "cn1", "-A", "acc", "--wrap", "true")
    cluster.begin(1, 1)
    return shell
