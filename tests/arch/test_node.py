"""The folders of a node's processes: what each may import, and how facts cross from one to the other."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKERS = ROOT / "workers"
#: folders whose processes have the standard library only, and what of the core may be imported there
BARE = ("shepherd", "spawner", "cgroup", "common")
_OF_THE_CORE = (
    "errors", "faults", "folders", "grammar.memory", "grammar.printable", "log_lines", "model.states", "trust",
    "wire.framing", "wire.link", "wire.node",
)  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def folder_of(path: Path) -> str:
    return path.relative_to(WORKERS).with_suffix("").parts[0]


def test_few_arrows_lead_from_folder_to_folder() -> None:
    """Their direction is a contract of import-linter; here their number."""
    arrows = {
        (folder_of(path), name.split(".")[1])
        for path in WORKERS.rglob("*.py")
        for name in imported(path)
        if name.startswith("workers.")
    }
    assert len({(tail, head) for tail, head in arrows if tail != head}) <= 12


@pytest.mark.parametrize("folder", BARE)
def test_a_process_beside_the_worker_imports_little_of_the_core(folder: str) -> None:
    allowed = tuple(f"crane_celery.{name}" for name in _OF_THE_CORE)
    for path in (WORKERS / folder).rglob("*.py"):
        foreign = [name for name in imported(path) if name.split(".")[0] not in sys.stdlib_module_names | {"workers"}]
        assert [name for name in foreign if not f"{name}.".startswith(tuple(f"{each}." for each in allowed))] == []


@pytest.mark.parametrize("module", ["workers.shepherd.loop", "workers.spawner.fork_server", "workers.cgroup.__main__"])
def test_a_process_beside_the_worker_loads_the_standard_library_only(module: str) -> None:
    code = f"import sys; sys.path.append('.'); import {module}; print(*sys.modules)"
    argv = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()} - {"__main__"}
    assert loaded - sys.stdlib_module_names <= {"crane_celery", "workers"}


#: where rows may be taken apart: the codecs, which give facts their names
CODECS = (
    "crane_celery/wire/", "crane_celery/model/asjson", "crane_celery/model/event", "crane_celery/store/codec",
    "crane_celery/store/script_args", "crane_celery/grammar/", "workers/shepherd/decode", "workers/common/exit_journal",
    "crane_celery/simulation/trace", "cli/common/help_format",
)  # fmt: skip
#: names that stand for a message, a row of one, a line of a journal, or an event, taken apart by numbers
_ROWS = {"row", "line", "message", "event", "report", "told", "record"}


def sources() -> list[Path]:
    found = (path for package in ("crane_celery", "beat", "workers", "cli") for path in (ROOT / package).rglob("*.py"))
    return [path for path in found if not str(path.relative_to(ROOT)).startswith(CODECS)]


def subscripts(tree: ast.AST) -> Iterator[int]:
    """Lines where a row is asked for a field by its number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if isinstance(node.slice.value, int) and name in _ROWS:
                yield node.lineno


def long_unpackings(tree: ast.AST) -> Iterator[int]:
    """Lines where more than six names are taken from a sequence at once."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store) and len(node.elts) > 6:
            yield node.lineno


def test_messages_are_asked_by_name() -> None:
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sources()}
    numbered = [f"{name}:{line}" for name, tree in trees.items() for line in subscripts(tree)]
    unpacked = [f"{name}:{line}" for name, tree in trees.items() for line in long_unpackings(tree)]
    assert numbered == unpacked == []
