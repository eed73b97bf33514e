"""Pages and completion, made from the parsers."""

import subprocess
from pathlib import Path

import pytest

from cli._manual import COMMANDS, bash, page
from tests.unit.cli.support import Shell

DOCS = Path(__file__).parents[3] / "docs" / "commands"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_pages_are_current(command: str) -> None:
    assert (DOCS / f"{command}.md").read_text(encoding="utf-8") == page(command), "run make docs"


def test_bash_completes_options() -> None:
    asked = 'COMP_WORDS=(cbatch --array-r); COMP_CWORD=1; _crane_celery; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", f"{bash()}\n{asked}"], capture_output=True, text=True, check=True)
    assert done.stdout == "--array-retry\n"


def test_the_command_prints_it(shell: Shell) -> None:
    assert shell("crane", "completion", "bash").out == bash()
    assert shell("crane", "completion", "zsh").code == 1
