"""``crane simulate`` refuses sizes of a cluster that no memory holds, and numbers of a trace that no clock shows."""

from pathlib import Path

import pytest

from tests.unit.cli.support import Shell
from tests.unit.outside.extremes import NUMBERS
from tests.unit.outside.test_options import clean

TRACE = "1 0 0 10 1 -1 -1 1 10 -1 1 1 1 1 1 1 -1 -1\n"
SIZES = {"--nodes": "2", "--cpus": "1"}


@pytest.mark.parametrize("option", ["--nodes", "--cpus", "--mem", "--limit", "--speed-up"])
def test_sizes(shell: Shell, tmp_path: Path, option: str) -> None:
    (tmp_path / "t.swf").write_text(TRACE)
    for value in (*NUMBERS, "131073", "999999999"):
        given = [f"{name}={text}" for name, text in {**SIZES, option: value}.items()]
        clean(shell("crane", "simulate", "t.swf", "--policy", "fifo", *given), (option, value))


@pytest.mark.parametrize("field", range(18))
def test_numbers_of_a_trace(shell: Shell, tmp_path: Path, field: int) -> None:
    for value in NUMBERS:
        words = TRACE.split()
        words[field] = value
        (tmp_path / "t.swf").write_text(" ".join(words) + "\n" + TRACE, errors="surrogateescape")
        given = [f"{name}={text}" for name, text in SIZES.items()]
        clean(shell("crane", "simulate", "t.swf", "--policy", "fifo", *given), (field, value))
