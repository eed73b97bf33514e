"""A job that a test steers: it tells when it starts, ends when it is told to, and writes down what it really did.

Everything is an event: opening a FIFO waits for the other side, and its end of file is the death of all processes of
the job. The witness file is the job's own account, which what the cluster tells is compared with.
"""

import os
from typing import TextIO

from tests.netns.site import Site

SCRIPT = """#!/bin/sh
exec 9>"$1.says"
echo "start $CRANE_JOB_ID" >>"$1.witness"
echo start >&9
read -r code <"$1.gate"
echo "end $CRANE_JOB_ID" >>"$1.witness"
echo end >&9
exit "$code"
"""


class Probe:
    """One job on one node."""

    def __init__(self, site: Site, name: str, node: str) -> None:
        """Submit it on the login host."""
        self._path = site.work / name
        for end in ("says", "gate"):
            os.mkfifo(f"{self._path}.{end}")
        script = site.work / "probe.sh"
        script.write_text(SCRIPT)
        self.job = site.submit("-w", node, "-o", "/dev/null", str(script), str(self._path))
        self._says: TextIO | None = None

    def started(self) -> "Probe":
        """Wait until it has started."""
        self._says = open(f"{self._path}.says")
        assert self._says.readline() == "start\n"
        return self

    def finish(self, code: int) -> None:
        """Let it end with this exit code; returns when it has."""
        with open(f"{self._path}.gate", "w") as gate:
            gate.write(f"{code}\n")
        assert self.rest() == "end\n"

    def rest(self) -> str:
        """What else it says until all its processes are gone."""
        assert self._says
        with self._says:
            return self._says.read()

    @property
    def witness(self) -> list[str]:
        """What it wrote down: "start", and "end" when it was not killed."""
        lines = (self._path.parent / f"{self._path.name}.witness").read_text().splitlines()
        return [line.partition(" ")[0] for line in lines if line.endswith(f" {self.job}")]
