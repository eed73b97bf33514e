"""Pages, made from the parsers."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.crane import COMMANDS as ROLES
from cli.manual.man import escaped, man
from cli.manual.pages import COMMANDS, page

DOCS = Path(__file__).parents[4] / "docs" / "commands"


@pytest.mark.parametrize("command", (*COMMANDS, "crane"))
def test_the_pages_are_current(command: str) -> None:
    assert (DOCS / f"{command}.md").read_text(encoding="utf-8") == page(command), "run make docs"


def test_cranes_page_has_all_of_its_commands() -> None:
    assert all(f"\n## crane {name}\n" in page("crane") for name in ROLES)


@pytest.mark.parametrize("command", (*COMMANDS, "crane"))
def test_man_shows_it(command: str, tmp_path: Path) -> None:
    file = tmp_path / f"{command}.1"
    file.write_text(man(command, "1.0"), encoding="utf-8")
    argv = ["man", "--warnings", "-l", str(file)]
    done = subprocess.run(argv, env={**os.environ, "MANWIDTH": "100"}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for heading in ("NAME", "SYNOPSIS", "ENVIRONMENT", "SEE ALSO"):
        assert f"\n{heading}\n" in done.stdout
    assert "--help" in done.stdout or command == "crane"


def test_roff_shows_a_text_as_it_is() -> None:
    assert escaped(".x 'y' a-b ~\\") == r"\&.x \(aqy\(aq a\-b \(ti\e"
