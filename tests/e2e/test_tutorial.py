"""The tutorial and the guide to the Python API: every command and every example, with what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import ROOT, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
_MARK = "=-=-= "


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of the ``console`` blocks, with what it is to print. A heredoc belongs to its command."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        heredoc = False
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:] + "\n", ""))
                heredoc = line.endswith("<<'END'")
            elif heredoc:
                found[-1] = (found[-1][0] + line + "\n", "")
                heredoc = line != "END"
            else:
                found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def fits(shown: str, wanted: str) -> bool:
    """Return whether this is what was to be shown: blanks by words, ``...`` for anything."""
    pieces = [r"\s+".join(map(re.escape, piece.split())) for piece in wanted.split("...")]
    return re.fullmatch(r"\s*" + r"(?s:.*?)\s*".join(pieces) + r"\s*", shown) is not None


def test_every_command_of_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    asked = commands((DOCS / "tutorial.md").read_text())
    assert len(asked) > 30
    program = "".join(f"echo '{_MARK}'\n{text}" for text, _ in asked)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRANE_", "SLURM_"))}
    env = {**kept, "PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    try:
        shown = done.stdout.split(f"{_MARK}\n")[1:]
        wrong = [(text, got, wanted) for (text, wanted), got in zip(asked, shown, strict=True) if not fits(got, wanted)]
        assert not wrong, done.stdout
    finally:
        down = {**env, "CRANE_HOME": str(tmp_path / "cluster")}
        subprocess.run([BIN / "crane", "down"], env=down, capture_output=True, check=False)


def test_every_example_of_the_api_does_what_it_says(crane: Cluster) -> None:
    argv = [sys.executable, "-m", "doctest", "-o", "NORMALIZE_WHITESPACE", str(DOCS / "api.md")]
    done = subprocess.run(argv, cwd=crane.work, env=crane.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("shown", "wanted", "fit"),
    [
        ("a  b\n", "a b\n", True),
        ("a x b", "a ... b", True),
        ("a\nb\nc", "a\n...\nc", True),
        ("ab", "a", False),
        ("", "x", False),
    ],
)
def test_what_fits(shown: str, wanted: str, fit: bool) -> None:
    assert fits(shown, wanted) is fit
