"""Start our own programs apart from the Python of whoever starts them.

With ``-I`` an interpreter ignores Python's variables (``PYTHONPATH``, ``PYTHONHOME``, ...), the user's site folder and
the current directory. It has to stand on the command line: ``PYTHONHOME`` acts before any code runs. The variables stay
in the environment, since jobs are to get them.

Commands are started by ``packaging/bin``. Daemons run ``python -I <this file> MODULE [args...]``, which makes the
folder that holds our packages importable: also when that is a checkout, or one that only ``PYTHONPATH`` named.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.machinery import ModuleSpec
    from typing import NoReturn

_FILE = os.path.abspath(__file__)
#: the folder that holds our packages
ROOT = os.path.dirname(os.path.dirname(_FILE))
#: what ``packaging/bin`` hands the caller's environment over in
_HANDED = "CRANE_ENVIRON"


def command(module: str, *args: str) -> tuple[str, ...]:
    """Return the command line that runs a module as ``python -m`` does, in isolation."""
    return (sys.executable, "-I", _FILE, module, *args)


def without_python(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without Python's own: a daemon hands none of them to what it starts."""
    return {name: value for name, value in environ.items() if not name.startswith("PYTHON")}


def start(folder: str) -> NoReturn:
    """Run the user's command that is named by the first argument; ``folder`` holds the commands. The name by which it
    was called, perhaps that of a link such as ``sbatch``, stands behind a colon and becomes ``sys.argv[0]``."""
    name, _, called = (sys.argv.pop(1) if len(sys.argv) > 1 else "").partition(":")
    if not os.path.exists(f"{ROOT}/cli/{name.replace('.', '/')}.py"):
        sys.exit("crane-start is what the commands beside it run: call those, such as cinfo")
    sys.argv[0] = f"{folder}/{called or name}"
    handed = os.environ.pop(_HANDED, "")
    if handed:
        from crane_celery.surroundings import restore

        restore(handed)
    if sys.flags.no_site:
        sys.meta_path.append(_RestOfSite())
    __import__(f"cli.{name}")  # importlib costs a third of a millisecond
    sys.exit(sys.modules[f"cli.{name}"].main())


class _RestOfSite:
    """Makes the interpreter's other packages importable once a command asks for one: most never do."""

    def find_spec(self, name: str, *_where: object) -> ModuleSpec | None:
        """Look again with all of them; None when the module is not there either."""
        import site
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        site.main()
        return find_spec(name)


def _run() -> None:
    """Run the module named by the first argument, from no directory of the caller's."""
    import io
    import runpy

    if ROOT not in sys.path:
        sites = (at for at, place in enumerate(sys.path) if place.endswith("-packages"))
        sys.path.insert(next(sites, len(sys.path)), ROOT)
    os.chdir("/")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a log is to have what was said, PYTHONUNBUFFERED or not
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _run()
