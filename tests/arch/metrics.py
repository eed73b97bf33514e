"""Counts of this code, as a review takes them: `make metrics` prints, `make docs` writes docs/architecture.md."""

import ast
import re
import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("crane_celery", "workers", "beat", "cli")
#: a docstring begins with a verb or with the thing's name
ODD_WORDS = frozenset({"What", "Who", "Whether", "Where", "How", "So"})
_MOST_NAMES = 6  # in one unpacking, and parameters of a function
_BEGIN, _END = "<!-- counts: make docs -->\n", "<!-- end of counts -->\n"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """One file of Python."""

    path: Path  # from the top of the checkout
    text: str
    tree: ast.Module

    def all(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Return the nodes of these kinds, at any depth."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


class Row(NamedTuple):
    """One line of the table: what was counted, and numbers with their names."""

    what: str
    counts: dict[str, int]

    def __str__(self) -> str:
        """Return the line as Markdown."""
        return f"| {self.what} | {', '.join(f'{name} {count:,}' for name, count in self.counts.items())} |"


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Return the files of these folders, in order."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    texts = [(path, path.read_text(encoding="utf-8")) for path in found]
    return tuple(Module(path.relative_to(ROOT), text, ast.parse(text)) for path, text in texts)


@cache
def rows() -> tuple[Row, ...]:
    """Count all."""
    ours, tests = modules(*PACKAGES), modules("tests")
    bodies = [node for each in ours for node in functions(each)]
    classes = [_members(node) for each in ours for node in each.all(ast.ClassDef) if isinstance(node, ast.ClassDef)]
    tried = [node for each in tests for node in functions(each) if node.name.startswith("test_")]
    asserts = sum(len(list(each.all(ast.Assert))) for each in tests)
    return (
        Row("lines of a function", _spread([length(node) for node in bodies])),
        Row("functions with more than 6 parameters", {"there are": sum(map(_wide, bodies))}),
        Row("lines of a file", _spread([_lines([each]) for each in ours])),
        Row("lines", {"Python": _lines(ours), "Lua": _lua(), "tests": _lines(tests)}),
        Row("public methods of a class", _spread([methods for methods, _ in classes])),
        Row("attributes of a class", _spread([attributes for _, attributes in classes])),
        Row("numeric subscripts", _subscripts(ours)),
        Row("unpackings of more than 6 names", {"there are": sum(map(_unpackings, ours))}),
        Row("arrows between folders", {folder: len(arrows(folder)) for folder in _FOLDERS}),
        Row("docstrings", _docstrings(ours)),
        Row("tests", {"functions": len(tried), "asserts": asserts}),
    )


def functions(module: Module) -> Iterator[Function]:
    """Return the functions and methods of a file."""
    return (node for node in module.all(*Function.__args__) if isinstance(node, Function))


def length(node: Function) -> int:
    """Return how many lines a function takes, without its decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _spread(found: Sequence[int]) -> dict[str, int]:
    """Return how many there are, the middle, what 90 and 99 of a hundred do not exceed, and the most."""
    parts = statistics.quantiles(found, n=100, method="inclusive")
    ends = {"median": parts[49], "p90": parts[89], "p99": parts[98], "max": max(found)}
    return {"of": len(found), **{name: round(value) for name, value in ends.items()}}


def _wide(node: Function) -> bool:
    taken = node.args
    named = [each.arg for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")]) > _MOST_NAMES


def _members(node: ast.ClassDef) -> tuple[int, int]:
    """Return how many public methods a class has, and how many attributes its methods set or its body declares."""
    methods = [each.name for each in node.body if isinstance(each, Function) and not each.name.startswith("_")]
    declared = {ast.unparse(each.target) for each in node.body if isinstance(each, ast.AnnAssign)}
    stored = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and _is_of_self(each)}
    return len(methods), len(declared | stored)


def _is_of_self(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _subscripts(found: Sequence[Module]) -> dict[str, int]:
    """Return how often something is taken by a number that stands in the source."""
    nodes = (node for each in found for node in each.all(ast.Subscript) if isinstance(node, ast.Subscript))
    numbers = [text for text in (ast.unparse(node.slice) for node in nodes) if re.fullmatch(r"-?\d+", text)]
    ends = sum(number in ("0", "-1") for number in numbers)
    return {"first or last": ends, "others": len(numbers) - ends}


def _unpackings(module: Module) -> int:
    tuples = (node for node in module.all(ast.Tuple) if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store))
    return sum(len(node.elts) > _MOST_NAMES for node in tuples)


def _lines(found: Sequence[Module]) -> int:
    return sum(len(each.text.splitlines()) for each in found)


def _lua() -> int:
    return sum(len(path.read_text().splitlines()) for path in (ROOT / "crane_celery").rglob("*.lua"))


#: folders whose own folders are rooms of one house
_FOLDERS = ("crane_celery", "crane_celery/service", "crane_celery/store", "workers", "cli")


def arrows(folder: str) -> set[tuple[str, str]]:
    """Return which folder below this one imports from which other one; files that lie in it itself count as ``.``."""
    dotted = folder.replace("/", ".") + "."
    rooms = {path.name for path in (ROOT / folder).iterdir() if (path / "__init__.py").exists()}
    found: set[tuple[str, str]] = set()
    for module in modules(folder):
        inside = module.path.relative_to(folder).parts
        tail = inside[0] if len(inside) > 1 else "."
        for name in _imports(module):
            if name.startswith(dotted):
                head = name.removeprefix(dotted).split(".")[0]
                found.add((tail, head if head in rooms else "."))
    return {(tail, head) for tail, head in found if tail != head}


def _imports(module: Module) -> Iterator[str]:
    for node in module.all(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def _docstrings(found: Sequence[Module]) -> dict[str, int]:
    holders = (node for each in found for node in each.all(ast.Module, ast.ClassDef, *Function.__args__))
    texts = [ast.get_docstring(node) for node in holders if isinstance(node, ast.Module | ast.ClassDef | Function)]
    first = [text.split()[0].strip(",.:;") for text in texts if text]
    return {
        "there are": len(first),
        "first word What, Who, Whether, Where, How or So": sum(w in ODD_WORDS for w in first),
    }


def table() -> str:
    """Return the counts as a table of Markdown."""
    return "\n".join(["| counted | |", "|---|---|", *map(str, rows()), ""])


def write() -> None:
    """Put the table of now into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    PAGE.write_text(f"{before}{_BEGIN}{table()}{_END}{rest.partition(_END)[2]}", encoding="utf-8")


def written() -> str:
    """Return the table that stands in the page."""
    return PAGE.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]


if __name__ == "__main__":
    write() if "--write" in sys.argv else print(table(), end="")
