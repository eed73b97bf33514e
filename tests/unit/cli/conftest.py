"""Fixture: the commands, before the gateway of tests/unit/conftest.py."""

from pathlib import Path

import pytest

from tests.unit.cli.support import Shell


@pytest.fixture
def shell(gateway: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Commands against the gateway, in an empty directory, as somebody whose surroundings are known."""
    assert gateway
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("CQUEUE_ARRAY", raising=False)
    monkeypatch.delenv("SQUEUE_ARRAY", raising=False)
    return Shell(capsys)
