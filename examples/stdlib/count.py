"""Count one Python file: lines, functions, classes, imports and complexity (1 + decisions), as JSON.

Usage: count.py FILE OUTPUT
"""

import ast
import json
import sys
from pathlib import Path

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_IMPORTS = (ast.Import, ast.ImportFrom)
_DECISIONS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.IfExp, ast.ExceptHandler, ast.comprehension, ast.BoolOp)


def count(source: bytes) -> dict[str, int]:
    """The counts of one file. Raises SyntaxError."""
    nodes = list(ast.walk(ast.parse(source)))
    return {
        "lines": source.count(b"\n"),
        "functions": sum(isinstance(node, _FUNCTIONS) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "imports": sum(isinstance(node, _IMPORTS) for node in nodes),
        "complexity": 1 + sum(isinstance(node, _DECISIONS) for node in nodes),
    }


if __name__ == "__main__":
    path, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.write_text(json.dumps({"module": str(path), **count(path.read_bytes())}))
