"""Define what the wheel has beside the packages: the commands that people type, their manual pages, and completions.

The commands are no entry points: those start Python without -I (crane_celery/isolated.py).
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent
#: those whose caller's environment goes on to jobs
_SUBMITTING = ("calloc", "cbatch", "ccon", "crun")


class Wheel(BuildHookInterface[Any]):
    """Adds them to a wheel."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Write the files and name them to the builder."""
        self._made = Path(tempfile.mkdtemp())
        sys.path.insert(0, str(HERE.parent))
        for name, text in commands().items():
            build_data["shared_scripts"][self._write(f"bin/{name}", text, 0o755)] = name
        for name, text in {**manuals(self.metadata.version), **completions()}.items():
            build_data["shared_data"][self._write(name, text, 0o644)] = name

    def _write(self, name: str, text: str, mode: int) -> str:
        path = self._made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return str(path)

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove what was written."""
        sys.path.remove(str(HERE.parent))
        shutil.rmtree(self._made, ignore_errors=True)


def names() -> list[str]:
    """Return all commands."""
    return sorted(path.stem for path in (HERE.parent / "cli").glob("c*.py"))


def commands() -> dict[str, str]:
    """Return the text of each file of the folder of commands, by name."""
    template, exact = ((HERE / "bin" / name).read_text() for name in ("command", "exact"))
    found = {"crane-start": (HERE / "bin" / "crane-start").read_text()}
    for name, module in {**{name: name for name in names()}, "crane-complete": "completion.complete"}.items():
        text = template.replace("unset CRANE_ENVIRON\n", exact) if name in _SUBMITTING else template
        # users' commands need nothing but the standard library and our own packages: -S saves them a millisecond
        text = text if name == "crane" else text.replace('" -I "', '" -I -S "')
        found[name] = text.replace("@NAME@", module)
    return found


def manuals(version: str) -> dict[str, str]:
    """Return the manual pages by their place."""
    from cli.manual.man import man
    from cli.manual.pages import COMMANDS

    return {f"share/man/man1/{name}.1": man(name, version) for name in (*COMMANDS, "crane")}


def completions() -> dict[str, str]:
    """Return the completions by their place: where the shells look for them under a prefix such as /usr/local."""
    from cli.completion.complete import script

    found = {"share/zsh/site-functions/_crane_celery": script("zsh", names())}
    for name in names():
        found[f"share/bash-completion/completions/{name}"] = script("bash", [name])
        found[f"share/fish/vendor_completions.d/{name}.fish"] = script("fish", [name])
    return found
