"""Every option of every command takes an extreme value or refuses it, in a line; nothing else comes out."""

import signal
from collections.abc import Iterator

import pytest

from cli.crane import COMMANDS as PARTS
from cli.manual.pages import COMMANDS, parser_of
from crane_celery.errors import BY_CODE, CraneError
from tests.unit.cli.support import Said, Shell
from tests.unit.outside.extremes import ALL
from tests.unit.service.support import Cluster

#: what a command needs beside the option
BESIDE = {
    "cbatch": ["--wrap", "true"], "ccancel": ["1"], "ccontrol": ["show", "job"], "ceff": ["1"], "clog": ["1"],
    "crun": ["true"], "cwait": ["1"],
}  # fmt: skip

#: success, the errors' own, and a wait that was given up or interrupted
CODES = {0, 1, 124, 130} | {error.status for error in BY_CODE.values()}


def clean(said: Said, what: object) -> None:
    """Assert that a command accepted or refused what it was given."""
    assert said.code in CODES, (what, said)
    assert "failed inside" not in said.err + said.out, (what, said.err)
    assert said.code == 0 or said.err or said.out, what


def _words(command: str) -> Iterator[tuple[str, ...]]:
    """The command's options that take a value, each with each value, and its arguments."""
    for action in parser_of(command).shown:
        if action.nargs == 0 and action.option_strings:
            continue
        name = max(action.option_strings, key=len, default="")
        for value in ALL:
            yield (f"{name}={value}", *BESIDE.get(command, [])) if name else (value,)


@pytest.mark.parametrize("command", COMMANDS)
def test_of_commands(shell: Shell, cluster: Cluster, command: str) -> None:
    assert shell("cbatch", "--wrap", "true").code == 0
    cluster.run(1)
    for words in _words(command):
        try:
            clean(shell(command, *words), (command, words))
        finally:
            signal.alarm(0)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_of_administration(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the parser goes: what follows would start a cluster."""
    made = parser_of(f"crane {part}")
    monkeypatch.setattr(made, "_choose", lambda: None)
    for action in made.shown:
        if action.nargs == 0 or not action.option_strings:
            continue
        for value in ALL:
            try:
                made.parse([f"{action.option_strings[-1]}={value}"])
            except CraneError as error:
                assert error.message
