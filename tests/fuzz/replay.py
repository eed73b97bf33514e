"""Give every input that ever failed to its decoder again: ``python -m tests.fuzz.replay [FOLDER]``. Needs no atheris.

Also some inputs of each target that are made from a fixed seed, so that the targets themselves stay in order.
"""

import random
import sys
from pathlib import Path

from tests.fuzz import target as targets
from tests.fuzz.run import CORPUS, LONGEST
from tests.fuzz.source import Source
from tests.fuzz.targets import everything

#: inputs of each target beside the corpus
_MADE = 20


def main() -> int:
    """Print what fails; the exit status says whether anything did."""
    targets.install()
    folder = Path(sys.argv[1]) if sys.argv[1:] else CORPUS
    known, bad, count = everything(), 0, 0
    rng = random.Random(20261129)
    inputs = [(path.parent.name, targets.loads(path.read_text())) for path in sorted(folder.glob("*/*.json"))]
    for name, target in known.items():
        inputs += [(name, target.make(Source(rng.randbytes(rng.randrange(LONGEST))))) for _ in range(_MADE)]
    for name, value in inputs:
        try:
            targets.attempt(known[name], value)
        except targets.Failure as failure:
            bad += 1
            print(f"{failure}\n{targets.place_of(failure)}\n{targets.dumps(value)[:2000]}\n")
        count += 1
    print(f"{count} inputs, {bad} failed")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
