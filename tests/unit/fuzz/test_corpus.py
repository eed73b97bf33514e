"""Inputs that failed once never fail again; in a process of its own, since the targets replace parts of the daemons."""

import subprocess
import sys

from tests.fuzz.source import Source
from tests.fuzz.strange import mutated
from tests.support.cluster import ROOT


def test_what_ever_failed_is_taken_as_it_must() -> None:
    argv = [sys.executable, "-m", "tests.fuzz.replay"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_without_bytes_an_input_is_the_plain_example() -> None:
    example = {"a": [1, "b", {"c": None}], "d": 5}
    assert mutated(Source(b""), example) == example


def test_the_same_bytes_make_the_same_input() -> None:
    example = {"a": [1, "b", {"c": None}], "d": 5}
    data = bytes(range(43, 200))
    assert repr(mutated(Source(data), example)) == repr(mutated(Source(data), example)) != repr(example)
