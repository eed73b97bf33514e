"""Device isolation: which device files a run may open (`devices` in docs/configuration.md). Standard library only.

The agent tells the shepherd of each configured file whether the run holds a slot of it; the shepherd asks the kernel
for the files' numbers, and the run's group allows the one and denies the other.
"""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence


def files_of(
    devices: Mapping[str, Sequence[str]], gres: Mapping[str, int], held: Mapping[str, Iterable[int]]
) -> list[tuple[str, bool]]:
    """Each configured file, and whether a slot of it is held: a file of several slots is held with any of them. Pure.

    ``devices``: files by resource, one for each slot; ``gres``: the node's slots; ``held``: the run's slot numbers.
    Files of a kind ("gpu") whose slots are of types ("gpu:a100") are theirs one after another, as the node names them.
    """
    found: dict[str, bool] = {}
    for kind, files in devices.items():
        mine = _slots(kind, gres, held)
        for slot, file in enumerate(files):
            found[file] = found.get(file, False) or slot in mine
    return list(found.items())


def _slots(kind: str, gres: Mapping[str, int], held: Mapping[str, Iterable[int]]) -> set[int]:
    if kind in gres:
        return set(held.get(kind, ()))
    mine: set[int] = set()
    first = 0
    for name, count in gres.items():
        if name.partition(":")[0] == kind:
            mine.update(first + slot for slot in held.get(name, ()))
            first += count
    return mine


def numbers(files: Iterable[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """The files as the kernel knows them ("c 195:0"), by number: two names of one device are held together.

    A file that is not there cannot be opened either, and what is no device cannot be denied: they are left out.
    """
    found: dict[str, bool] = {}
    for file, held in files:
        try:
            info = os.stat(file)
        except OSError:
            continue
        kind = "c" if stat.S_ISCHR(info.st_mode) else "b" if stat.S_ISBLK(info.st_mode) else ""
        if kind:
            number = f"{kind} {os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
            found[number] = found.get(number, False) or held
    return tuple(found.items())
