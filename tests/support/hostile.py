"""Surroundings that end a program which heeds them: Python's variables, and a folder full of the user's modules."""

import sys
from pathlib import Path

#: modules that a folder of a user may have names of: of ours, of the standard library, of what we depend on
SHADOWS = ("cli/__init__", "crane_celery/__init__", "json", "os", "site", "typing", "argparse", "yaml", "celery")
BROKEN = "raise SystemExit('a file of the user was imported')\n"

#: variables of Python's, each with a value that ends or changes a command that heeds it
VARIABLES = {
    "PYTHONHOME": "/nowhere",
    "PYTHONPATH": "FOLDER",
    "PYTHONINSPECT": "1",
    "PYTHONSTARTUP": "FOLDER/json.py",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "no-such-encoding",
    "PYTHONUTF8": "bad",
    "PYTHONHASHSEED": "bad",
    "PYTHONMALLOC": "bad",
    "PYTHONVERBOSE": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONPLATLIBDIR": "nowhere",
    "PYTHONPROFILEIMPORTTIME": "1",
    "PYTHONBREAKPOINT": "nothing.here",
    "PYTHONCASEOK": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUSERBASE": "FOLDER/user",
}


def fill(folder: Path) -> None:
    """Put modules there that nobody but the user may import, and a user site with start-up files."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    user = folder / "user" / "lib" / version / "site-packages"
    names = [folder / f"{name}.py" for name in (*SHADOWS, "sitecustomize", "usercustomize", "encodings/__init__")]
    for path in (*names, user / "usercustomize.py", user / "sitecustomize.py", user / "json.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BROKEN)
    (user / "mine.pth").write_text(f"import sys; {BROKEN}")


def variables(folder: Path) -> dict[str, str]:
    """Return the variables for a folder that was filled."""
    return {name: value.replace("FOLDER", str(folder)) for name, value in VARIABLES.items()}
