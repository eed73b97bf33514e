"""The pool of job groups: made once, taken by one run after another, removed when not fit for the next."""

import contextlib

from workers.cgroup import CgroupError, Driver, JobGroup, Limits

_KEEP = 64


class Pens:
    """Groups in use and groups that wait for a run."""

    def __init__(self, driver: Driver, used: set[str]) -> None:
        """Find the groups that `used` names; clear away every other that is there."""
        self.driver = driver
        self._used: dict[str, JobGroup] = {}
        self._free: list[JobGroup] = []
        self._stuck: list[JobGroup] = []
        self._next = 0
        for name in {*driver.existing(), *used}:
            self._next = max(self._next, int(name[1:]) + 1 if name[1:].isdigit() else 0)
            with contextlib.suppress(CgroupError, OSError):
                self._used[name] = driver.group(name)
                if name not in used:
                    self._used[name].thaw()
                    self.put(name)

    def take(self, limits: Limits) -> JobGroup:
        """A group with these limits. Raises CgroupError."""
        group = self._free.pop() if self._free else self._make()
        self._used[group.name] = group
        try:
            group.take(limits)
        except (CgroupError, OSError) as exc:
            self._used.pop(group.name)
            self._stuck.append(group)
            raise CgroupError(str(exc)) from exc
        return group

    def probe(self) -> None:
        """Take a group and give it back. Raises CgroupError, OSError when none can be had."""
        self.put(self.take(Limits()).name, bare=True)

    def _make(self) -> JobGroup:
        name, self._next = f"p{self._next}", self._next + 1
        return self.driver.group(name)

    def __getitem__(self, name: str) -> JobGroup:
        """A group in use."""
        return self._used[name]

    def put(self, name: str, *, bare: bool = False) -> bool:
        """Take an empty group back; False when it is not used again: then whoever holds its descriptors drops them.

        ``bare``: nothing is left in it, for sure.
        """
        group = self._used.pop(name)
        with contextlib.suppress(CgroupError, OSError):
            if len(self._free) < _KEEP and group.release(bare=bare):
                self._free.append(group)
                return True
        self._stuck.append(group)
        return False

    def sweep(self) -> None:
        """Try to remove the groups that are not fit for use."""
        self._stuck = [group for group in self._stuck if not _removed(group)]

    def close(self) -> None:
        """Remove every group that no run is in."""
        for group in self._free:
            group.remove()
        self._free.clear()
        self.sweep()


def _removed(group: JobGroup) -> bool:
    try:
        return group.remove()
    except (CgroupError, OSError):
        return False
