"""A job that a test steers: it tells when it starts, ends when it is told to, and writes down what it really did.

Everything is an event: opening a FIFO waits for the other side, and its end of file is the death of all processes of
the job. The witness file is the job's own account, which what the cluster tells is compared with.
"""

import os
import select

from tests.netns.site import Site
from tests.support.cluster import PATIENCE_S

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
    """One job on one node, in one run: what its node loses has ended."""

    def __init__(self, site: Site, name: str, node: str) -> None:
        """Submit it on the login host."""
        self._site, self._path = site, site.work / name
        for end in ("says", "gate"):
            os.mkfifo(f"{self._path}.{end}")
        script = site.work / "probe.sh"
        script.write_text(SCRIPT)
        self.job = site.submit("--no-requeue", "-w", node, "-o", "/dev/null", str(script), str(self._path))
        self._says = -1

    def started(self) -> "Probe":
        """Wait until it has started."""
        self._says = os.open(f"{self._path}.says", os.O_RDONLY | os.O_NONBLOCK)
        said = self._hear()
        assert said == "start\n", f"{self._path.name} said {said!r}"
        return self

    def finish(self, code: int) -> None:
        """Let it end with this exit code; returns when it has."""
        gate = os.open(f"{self._path}.gate", os.O_RDWR)
        try:
            os.write(gate, f"{code}\n".encode())
            assert self.rest() == "end\n"
        finally:
            os.close(gate)

    def rest(self) -> str:
        """Return what else it says until all its processes are gone."""
        said = ""
        while piece := self._hear():
            said += piece
        os.close(self._says)
        self._says = -1
        return said

    def _hear(self) -> str:
        """The next thing that it says, "" when all its processes are gone."""
        poll = select.poll()
        poll.register(self._says, select.POLLIN)
        assert poll.poll(PATIENCE_S * 1000), f"{self._path.name} says nothing:\n{self._site.told()}"
        return os.read(self._says, 100).decode()

    @property
    def witness(self) -> list[str]:
        """Return what it wrote down: "start", and "end" when it was not killed."""
        lines = (self._path.parent / f"{self._path.name}.witness").read_text().splitlines()
        return [line.partition(" ")[0] for line in lines if line.endswith(f" {self.job}")]
