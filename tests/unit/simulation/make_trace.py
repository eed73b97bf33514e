"""Makes small.swf beside it: `python -m tests.unit.simulation.make_trace > tests/unit/simulation/small.swf`.

Bursts of jobs on 16 processors, most of them narrow and short, some wide; users ask for one to four times their need.
"""

from random import Random

SEED = 3
JOBS = 400


def main() -> None:
    """Print it."""
    random = Random(SEED)
    print("; Version: 2.2\n; Computer: none\n; Note: made by tests/unit/simulation/make_trace.py\n; MaxProcs: 16\n;")
    submit = 0
    for number in range(1, JOBS + 1):
        submit += random.choice((0, 0, 30, 120, 600))
        procs = random.choice((1, 1, 1, 2, 2, 4, 8, 12, 16))
        run = random.choice((5, 40, 300, 900, 1800))
        limit = run * random.choice((1, 1, 2, 4))
        print(number, submit, -1, run, procs, -1, 1024, procs, limit, 2048, 1, number % 7, 1, *[-1] * 5)


if __name__ == "__main__":
    main()
