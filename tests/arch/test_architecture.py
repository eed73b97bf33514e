"""The arrows between the parts, what a user's command may import, and that everything public is described."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.settings.keys import KEYS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("crane_celery", "beat", "workers", "cli")
COMMANDS = sorted(path.stem for path in (ROOT / "cli").glob("c*.py") if path.stem != "crane")
#: each costs a command more than its whole budget of start-up time
HEAVY = {"redis", "celery", "kombu", "click", "tabulate", "dateutil", "yaml", "sqlalchemy", "cryptography", "typing"}
_LINT = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports())"


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_the_arrows_hold() -> None:
    done = subprocess.run([sys.executable, "-c", _LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_few_arrows_lead_from_folder_to_folder_of_the_service() -> None:
    """Their direction is a contract of import-linter; here their number."""
    folder = ROOT / "crane_celery" / "service"
    arrows = {
        (path.relative_to(folder).parts[0], name.split(".")[2])
        for path in folder.glob("*/*.py")
        for name in imported(path)
        if name.startswith("crane_celery.service.")
    }
    between = {(tail, head) for tail, head in arrows if tail != head}
    assert len(between) <= 12, sorted(between)
    assert not {(head, tail) for tail, head in between} & between


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_users_command_imports_nothing_heavy(command: str) -> None:
    code = f"import sys; sys.path.insert(0, '.'); import cli.{command}; print(*sys.modules)"
    argv = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_is_described(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module"
    assert list(undescribed(tree)) == []


def undescribed(tree: ast.AST) -> Iterator[str]:
    """Public classes, functions and methods without a docstring; what a private one holds is its own affair."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield f"{node.name} (line {node.lineno})"
        if isinstance(node, ast.ClassDef):
            yield from undescribed(node)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert [node.name for node in functions if (node.end_lineno or node.lineno) - node.lineno > 60] == []


#: what writes bytes of its own to a terminal, after it has escaped what is foreign
_WRITERS = ("common/main", "output/render", "common/progress", "common/screen", "common/tail", "common/watch")


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_write_where_foreign_text_is_escaped(path: Path) -> None:
    """By say, complain, print_lines or print_json; a print of its own would let a terminal obey what users wrote."""
    called = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    name = str(path.relative_to(ROOT / "cli").with_suffix(""))
    assert name in _WRITERS or not called & {
        "print",
        "sys.stdout.write",
        "sys.stderr.write",
    }


def test_every_configuration_key_is_in_the_docs() -> None:
    rows = (ROOT / "docs" / "configuration.md").read_text().splitlines()
    described = {row.split("|")[1].strip() for row in rows if row.startswith("| ")} - {"key"}
    assert described == set(KEYS)


#: who may name the interpreter: to start one with -I, or to look beside it
_OF_THE_INTERPRETER = ("isolated", "shepherd_start", "fork_client", "bootsteps", "doctor")


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_python_is_started_that_hears_the_callers_variables(path: Path) -> None:
    """Ours are started by crane_celery.isolated.command, or with -I."""
    text = path.read_text()
    assert path.stem in _OF_THE_INTERPRETER or "sys.executable" not in text
    assert 'sys.executable, "-m"' not in text and 'sys.executable, "-c"' not in text


#: public methods, and attributes of one object, that a class may have; records (tables of fields) are no such objects
METHODS, ATTRIBUTES = 20, 12
#: classes that have more attributes today: this list only gets shorter, and no number in it grows
TOO_MANY = {
    "Agent": 26,
    "Drains": 17,
    "Entry": 13,
    "GroupBase": 13,
    "Herd": 15,
    "Loop": 22,
    "Pool": 13,
    "Replay": 18,
    "Run": 14,
    "Shepherd": 23,
    "Spawner": 15,
    "View": 17,
    "_Cycle": 26,
}
_RECORDS = {"NamedTuple", "TypedDict", "Enum", "StrEnum", "IntEnum"}


def objects(path: Path) -> Iterator[ast.ClassDef]:
    """Classes of a file that are no records."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            names = {ast.unparse(each).partition("(")[0] for each in (*node.decorator_list, *node.bases)}
            if not names & _RECORDS and "dataclass" not in names:
                yield node


def attributes(node: ast.ClassDef) -> set[str]:
    """Return what its methods assign to ``self``, and what its body declares."""
    stored = (each for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
    declared = (each.target for each in node.body if isinstance(each, ast.AnnAssign))
    return {each.attr for each in stored if ast.unparse(each.value) == "self"} | {
        ast.unparse(each) for each in declared
    }


def test_classes_stay_small() -> None:
    methods: dict[str, int] = {}
    found: dict[str, int] = {}
    for node in (each for path in sources() for each in objects(path)):
        functions = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
        public = sum(not each.name.startswith("_") for each in functions)
        methods[node.name] = max(methods.get(node.name, 0), public)
        found[node.name] = max(found.get(node.name, 0), len(attributes(node)))
    assert {name: count for name, count in methods.items() if count > METHODS} == {}
    large = {name: count for name, count in found.items() if count > ATTRIBUTES}
    assert {name: count for name, count in large.items() if count > TOO_MANY.get(name, ATTRIBUTES)} == {}
    assert TOO_MANY.keys() <= large.keys(), "these have become small enough: take them off the list"
