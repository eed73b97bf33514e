"""Test what a shepherd needs to start jobs: its journal and a cgroup. Standard library only."""

from workers.cgroup import CgroupError
from workers.shepherd.cgroup_pool import Pens
from workers.shepherd.journal import Ledger


def faults(ledger: Ledger, pens: Pens) -> list[str]:
    """Return a sentence for each fault; none when jobs can start."""
    found = []
    try:
        ledger.probe()
    except OSError as exc:
        found.append(f"the node's journal cannot be written: {exc.strerror}")
    try:
        pens.probe()
    except (CgroupError, OSError) as exc:
        found.append(f"no cgroup can be had: {exc}")
    return found
