"""What the wheel has beside the packages: the commands that people type."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
#: users' commands need nothing but the standard library and our own packages: -S saves them a millisecond
_ALONE = ("cacct", "calloc", "cbatch", "ccancel", "ccon", "ccontrol", "ceff", "cinfo", "cqueue", "crun", "cwait")
#: those whose caller's environment goes on to jobs
_SUBMITTING = ("calloc", "cbatch", "ccon", "crun")


class Wheel(BuildHookInterface[Any]):
    """Adds the commands to a wheel."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Write the files and name them to the builder."""
        self._made = Path(tempfile.mkdtemp())
        for name, text in commands().items():
            (self._made / name).write_text(text)
            (self._made / name).chmod(0o755)
            build_data["shared_scripts"][str(self._made / name)] = name

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact_path: str) -> None:
        """Remove what was written."""
        shutil.rmtree(self._made, ignore_errors=True)


def commands() -> dict[str, str]:
    """Return the text of each file of the folder of commands, by name."""
    template, exact = ((HERE / "bin" / name).read_text() for name in ("command", "exact"))
    found = {"crane-start": (HERE / "bin" / "crane-start").read_text()}
    for name in (*_ALONE, "crane"):
        text = template.replace("unset CRANE_ENVIRON\n", exact) if name in _SUBMITTING else template
        text = text.replace('" -I "', '" -I -S "') if name in _ALONE else text
        found[name] = text.replace("@NAME@", name)
    return found
