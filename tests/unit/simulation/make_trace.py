"""Makes traces: small.swf beside it, and longer ones for tests that ask for them.

    python -m tests.unit.simulation.make_trace > tests/unit/simulation/small.swf

Bursts of jobs, most of them narrow and short, some wide; users ask for one to four times their need.
"""

from collections.abc import Iterator
from random import Random

SEED = 3
JOBS = 400


def trace(jobs: int = JOBS, procs: int = 16, pauses: tuple[int, ...] = (0, 0, 30, 120, 600)) -> Iterator[str]:
    """Return the lines of a trace: so many jobs of a machine with ``procs`` processors, with pauses before each one."""
    random = Random(SEED)
    yield "; Version: 2.2\n; Computer: none\n; Note: made by tests/unit/simulation/make_trace.py"
    yield f"; MaxProcs: {procs}\n;"
    submit = 0
    for number in range(1, jobs + 1):
        submit += random.choice(pauses)
        wide = random.choice((1, 1, 1, 2, 2, 4, 8, 12, 16)) * procs // 16
        run = random.choice((5, 40, 300, 900, 1800))
        limit = run * random.choice((1, 1, 2, 4))
        fields = (number, submit, -1, run, wide, -1, 1024, wide, limit, 2048, 1, number % 7, 1, *[-1] * 5)
        yield " ".join(map(str, fields))


if __name__ == "__main__":
    print("\n".join(trace()))
