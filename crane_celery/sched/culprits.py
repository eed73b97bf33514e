"""Which classes of submissions make planning fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crane_celery.sched.queue import Kind

#: classes that are looked for at once: a defect that concerns more is no matter of one bad record
MOST = 16


def culprits(attempt: Callable[[frozenset[Kind]], object], kinds: Sequence[Kind]) -> dict[Kind, Exception]:
    """Return the classes that make ``attempt`` raise, with what it raised; ``attempt`` plans without some classes.

    Found by halving: about 2 log2(n) attempts for each. Classes that fail in company only are returned together. At
    most MOST are looked for.
    """
    everything = frozenset(kinds)

    def failure(only: Sequence[Kind]) -> Exception | None:
        try:
            attempt(everything - frozenset(only))
        except Exception as error:
            return error
        return None

    found: dict[Kind, Exception] = {}
    suspects = [list(kinds)] if kinds else []
    while suspects and len(found) < MOST:
        some = suspects.pop()
        error = failure(some)
        if error is None:
            continue
        halves = [some[: len(some) // 2], some[len(some) // 2 :]]
        failing = [half for half in halves if half and len(some) > 1 and failure(half) is not None]
        if failing:
            suspects += failing
        else:
            found.update(dict.fromkeys(some, error))
    return found
