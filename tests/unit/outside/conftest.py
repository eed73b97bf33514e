"""Fixtures: commands before a gateway, none of which sleeps or reaches a node."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from cli.common.step_client import Step
from crane_celery.errors import Refused
from tests.unit.cli.support import Said, Shell
from workers.shepherd import decode

_SLEEP = time.sleep


@pytest.fixture
def shell(gateway: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Commands inside job 1, in an empty directory; what ``crun`` asks goes as far as the node's door."""
    assert gateway
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "sleep", _interrupted)
    monkeypatch.setattr(Step, "run", _to_the_door)
    for name, value in {"NO_COLOR": "1", "CRANE_JOB_ID": "1", "CRANE_SHEPHERD": "/none"}.items():
        monkeypatch.setenv(name, value)
    return _Closing(capsys)


class _Closing(Shell):
    """Closes what ``crun`` opened for its step: elsewhere the end of its process does."""

    def __call__(self, command: str, *argv: str) -> Said:
        """Run ``command`` with these words."""
        before = _open()
        try:
            return super().__call__(command, *argv)
        finally:
            for fd in _open() - before if command == "crun" else ():
                os.close(fd)


def _open() -> set[int]:
    """The descriptors of this process, but for the one that lists them."""
    return {int(name) for name in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{name}")}


def _interrupted(seconds: float) -> None:
    """Take a number of seconds as the system would; where it is long, somebody presses Ctrl-C."""
    _SLEEP(seconds if not 0.5 < seconds < 9e9 else 0.0)
    if seconds > 0.5:
        raise KeyboardInterrupt


def _to_the_door(_step: Step, message: dict[str, Any], _files: list[int]) -> int:
    """Decode a request for a step as the node does: it is accepted, or refused by name."""
    try:
        decode.step_request(message)
    except decode.Malformed as bad:
        raise Refused(f"step refused: {bad}") from bad
    return 0
