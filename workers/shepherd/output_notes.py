"""A line in a job's own output file, written by its user's spawner: the daemons never open a user's files."""

import time
from functools import partial

from workers.cgroup import CgroupError
from workers.shepherd.journal import Key
from workers.shepherd.records import PRIMARY, Run, task_key
from workers.shepherd.runs import Herd

#: seconds that a run's end waits for the line to be written: its file may lie on a server that does not answer
_PATIENCE_S = 2.0


class OutputNotes:
    """The lines that are being written. A run's end is told when its line is there, so that whoever waits finds it."""

    def __init__(self, herd: Herd) -> None:
        """Take the herd's hooks for runs with memory deaths and for lines that are written."""
        self._herd = herd
        self._writing: set[Key] = set()
        herd.on_deaths, herd.on_noted = self.tell, self._done

    def tell(self, run: Run, sentence: str) -> bool:
        """Have a sentence written, once; return whether the run may be closed."""
        if run.output_told:
            return run.key not in self._writing
        run.output_told = True
        self._herd.ledger.memory(run)
        if not run.output:
            return True
        message = {"op": "note", "key": task_key(run, PRIMARY, 0), "path": run.output, "text": sentence}
        try:
            self._herd.ledger.commit()
            self._herd.nursery.note((run.uid, run.gid), run.groups, message)
        except (OSError, CgroupError):
            return True
        self._writing.add(run.key)
        self._herd.timers.at(time.monotonic() + _PATIENCE_S, partial(self._done, run.key))
        return False

    def _done(self, key: Key) -> None:
        run = self._herd.ledger.runs.get(key)
        if key in self._writing:
            self._writing.discard(key)
            if run is not None:
                self._herd.timers.at(0.0, partial(self._herd.drain, run, 0.0))
