"""What keeps a shepherd from starting jobs: a journal that takes no more, no cgroup to be had. Standard library."""

from workers.cgroup import CgroupError
from workers.ledger import Ledger
from workers.pens import Pens


def faults(ledger: Ledger, pens: Pens) -> list[str]:
    """Return what is wrong, in words."""
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
