"""Each group of decoders for a few seconds, with another seed each time; `make fuzz` goes on for a million inputs."""

import os
import subprocess
import sys

import pytest

from tests.fuzz.targets import GROUPS
from tests.support.cluster import ROOT

SECONDS = os.environ.get("CRANE_FUZZ_S", "8")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", GROUPS)
def test_a_few_seconds_of_fuzzing_find_nothing(group: str) -> None:
    argv = [sys.executable, "-m", "tests.fuzz.run", group, "--seconds", SECONDS]
    seed = os.environ.get("CRANE_SEED", "")
    argv += ["--seed", seed] if seed else []
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
