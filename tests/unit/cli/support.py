"""Commands run in this process, as a shell would run them."""

import importlib
import re
from pathlib import Path
from typing import NamedTuple

import pytest

GOLDEN = Path(__file__).parents[2] / "golden"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?")
_ELAPSED = re.compile(r"\b00:00:0\d\b")


class Said(NamedTuple):
    """Record of what a command left behind."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands and catches what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, command: str, *argv: str) -> Said:
        """Run ``command`` with these words."""
        self._capsys.readouterr()
        try:
            code = importlib.import_module(f"cli.{command}").main(list(argv))
        except SystemExit as ended:  # argparse's --help
            code = int(ended.code or 0)
        return Said(code, *self._capsys.readouterr())


def golden(name: str, text: str) -> None:
    """Compare with tests/golden/<name>, times and host apart. To renew a file, delete it and run the test twice."""
    import os

    shown = _ELAPSED.sub("ELAPSED", _TIME.sub("TIME", text)).replace(f"={os.uname().nodename}", "=HOST")
    shown = re.sub(r"GroupId=[^(\s]+\(\d+\)", "GroupId=GROUP(NUMBER)", shown)
    shown = re.sub(r"(User/Group: \w+/)\S+", r"\1GROUP", shown)
    for number in (os.getuid(), os.getgid()):
        shown = re.sub(rf"(\(|GroupId=|UserId=){number}\b", r"\1NUMBER", shown)
    file = GOLDEN / name
    if not file.exists():
        file.write_text(shown)
        pytest.fail(f"{file} did not exist and was written: read it, then run again")
    assert shown == file.read_text()
