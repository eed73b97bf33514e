"""Nothing public stands in the product that the product itself never uses; tests alone are no use."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("crane_celery", "beat", "workers", "cli")
#: names that somebody else calls: a library by its own protocol, or tests to see what the product does
CALLED_BY_OTHERS = {
    # SQLAlchemy's types
    *("impl", "process_bind_param", "process_result_value", "load_dialect_impl"),
    # Celery's beat
    "setup_schedule",
    # the store in memory is the twin that the contract suite compares with; tests ask a scheduler whether it leads
    *("MemoryStore", "leads"),
    # a place of the launch message that nodes have no use for now
    "array_count",
    # limits of a submission, which stores take one after another
    "jobs_here",
    # the transition tables' reader: lifecycle.machine
    "node_step",
}


def test_what_is_public_is_used() -> None:
    trees = {path: ast.parse(path.read_text()) for path in sources(*PACKAGES, "packaging")}
    used = Counter(word for tree in trees.values() for word in words(tree))
    unused = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path, tree in trees.items()
        if path.relative_to(ROOT).parts[0] in PACKAGES
        for name, line, needed in public(tree)
        if used[name] < needed and name not in CALLED_BY_OTHERS
    ]
    assert unused == []


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def public(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, int, int]]:
    """Names defined in a module and in its classes, their lines, and how often a name that is used occurs at least."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.name.startswith("__"):
                yield node.name, node.lineno, 1
            if isinstance(node, ast.ClassDef):
                yield from public(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            # the definition itself is the first
            yield from ((each.id, node.lineno, 2) for each in targets if isinstance(each, ast.Name))


def words(tree: ast.AST) -> Iterator[str]:
    """Names that are read or set; also those in a short text, for what is looked up by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\S{1,200}", node.value):
            yield from re.findall(r"\w+", node.value)
