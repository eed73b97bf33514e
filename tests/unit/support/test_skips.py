"""A skip fails in continuous integration, unless its reason is one that a host cannot mend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_TESTS = """
import pytest

def test_permitted():
    pytest.skip("this host has no v1: nothing is mounted")

def test_other():
    pytest.skip("no time")

@pytest.mark.skipif(True, reason="never")
def test_marked():
    pass
"""


def _run(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_skipping.py").write_text(_TESTS)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.skips", "-p", "no:cacheprovider", str(folder)]
    environ = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    environ["PYTHONPATH"] = str(ROOT)
    return subprocess.run(argv, cwd=folder, env={**environ, **variables}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("variables", "says"), [({}, "3 skipped"), ({"CI": "true"}, "1 failed, 1 skipped, 1 error")])
def test_a_skip_fails_where_everything_is_to_be_tried(tmp_path: Path, variables: dict[str, str], says: str) -> None:
    done = _run(tmp_path, **variables)
    assert says in done.stdout, done.stdout + done.stderr
    assert ("test_other was skipped: no time. In continuous integration" in done.stdout) is bool(variables)
