"""Test what the guides tell people to type works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

COMMANDS = {path.stem for path in (Path(__file__).parents[2] / "cli").glob("c*.py")}
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("guide", ["arrays.md"])
def test_every_command_of_a_guide_does_what_it_says(crane: Cluster, guide: str) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", (DOCS / guide).read_text(), re.MULTILINE | re.DOTALL)
    names = sorted(set(re.findall(r"\b(c[a-z]+)\b", "".join(blocks))) & COMMANDS)
    ours = "".join(f'{name}() {{ "{sys.executable}" -m cli.{name} "$@"; }}\n' for name in names)
    text = f"set -eux\n{ours}{''.join(blocks)}"
    done = subprocess.run(
        ["sh", "-c", text], cwd=crane.work, env=crane.env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
