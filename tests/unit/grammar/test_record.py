"""The NamedTuple twin behaves as the real one, and nothing pulls typing in."""

import pickle
import subprocess
import sys
from pathlib import Path

from crane_celery.grammar._record import NamedTuple
from crane_celery.grammar.dependency import Term
from crane_celery.grammar.selector import Selector

ROOT = Path(__file__).parents[3]


class Point(NamedTuple):
    """A point."""

    x: int
    y: int = 7

    def total(self) -> int:
        """The sum."""
        return self.x + self.y


def test_fields_defaults_methods() -> None:
    point = Point(1)
    assert (point.x, point.y, point.total(), point) == (1, 7, 8, (1, 7))
    assert repr(point) == "Point(x=1, y=7)"
    assert Point._fields == ("x", "y")
    assert Point.__doc__ == "A point."
    assert point._replace(x=2) == Point(2, 7)


def test_pickles() -> None:
    term = Term("after", 1, "", 0)
    assert pickle.loads(pickle.dumps(term)) == term
    assert isinstance(Selector(1, "", None), tuple)


def test_no_grammar_that_commands_import_pulls_typing_in() -> None:
    modules = (
        "array dependency directives duration export filename format gres hostlist licenses memory names ranges"
        " selector signals"
    )
    code = (
        "import sys\n"
        f"for name in '{modules}'.split(): __import__('crane_celery.grammar.' + name)\n"
        "heavy = {'typing', 'dataclasses', 'datetime', 'shlex', 'difflib'} & set(sys.modules)\n"
        "print(*heavy)"
    )
    found = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == ""
