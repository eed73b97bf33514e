"""Rules for the tests themselves: none passes by doing nothing, and each file can be read at one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(TESTS.rglob("*.py"))
#: to be divided
LONG = {"contract/test_verbs.py", "contract/test_array_model.py", "unit/service/submit/test_accept.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_returns_before_it_has_tried_anything(path: Path) -> None:
    """It skips instead, which says why; see tests/support/skips.py."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    silent = [
        f"{test.name} (line {line})"
        for test in functions
        if test.name.startswith(("test_", "check_"))
        for line in returns_at_once(test)
    ]
    assert silent == []


def returns_at_once(test: ast.FunctionDef) -> Iterator[int]:
    """Lines of a bare return that is all that its ``if`` does."""
    for node in ast.walk(test):
        if isinstance(node, ast.If):
            for block in (node.body, node.orelse):
                if len(block) == 1 and isinstance(block[0], ast.Return) and block[0].value is None:
                    yield block[0].lineno


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_files_of_tests_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400 or str(path.relative_to(TESTS)) in LONG
