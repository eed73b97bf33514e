"""List the source files of the running Python's standard library, one a line: the input of the array."""

import sys
import sysconfig
from pathlib import Path

#: not the library: its tests, what people installed, generated tables of a thousand lines
_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "lib2to3"}


def modules(root: Path) -> list[Path]:
    """All modules of the library, in order of their names."""
    found = (path for path in root.rglob("*.py") if not _LEFT_OUT & set(path.relative_to(root).parts))
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in modules(Path(sysconfig.get_paths()["stdlib"]))))
