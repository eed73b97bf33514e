"""The last lines of a job's output, as explain shows them."""

import os
from pathlib import Path
from typing import Any

from cli.output.last_lines import last_lines, shown, with_lines


def row(out: Path, err: Path | None = None) -> dict[str, Any]:
    where = {"stdout": str(out), "stderr": str(err or out), "node": "n1", "host": os.uname().nodename}
    return {"jobid": "7", "state": "Failed", "began_at": 1.0, "reason": "", "run": 1, **where}


def test_the_last_lines_are_safe_to_show(tmp_path: Path) -> None:
    out = tmp_path / "a.out"
    out.write_bytes(b"one\ntwo\n" + b"".join(b"line %d\n" % n for n in range(9)) + b"\x1b[2Jred\r\n\xff\xe9\n\n")
    made = list(shown(row(out)))
    assert made[0] == f"Output: {out}"
    assert made[1:] == ["  | line 6", "  | line 7", "  | line 8", r"  | \x1b[2Jred", r"  | \udcff\udce9"]


def test_of_a_huge_line_only_the_end_is_read(tmp_path: Path) -> None:
    out = tmp_path / "a.out"
    out.write_text("x" * 1_000_000 + "end\n")
    (line,) = last_lines(row(out))
    assert line.endswith("xend") and len(line) <= 8192
    out.write_text("x" * 1_000_000 + "\nlast\n")
    assert last_lines(row(out)) == ["last"]


def test_errors_apart_and_what_cannot_be_read(tmp_path: Path) -> None:
    out, err = tmp_path / "a.out", tmp_path / "a.err"
    out.write_text("")
    made = list(shown(row(out, err)))
    assert made[0] == f"Output: {out}, empty" and made[1].startswith(f"Errors: {err} (not shown: job 7: there is no")
    found = with_lines(row(out, err))
    assert (found["last_lines"], found["last_error_lines"]) == ([], None)
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    assert "(not shown: " in next(shown(row(fifo)))
    assert list(shown({**row(out), "began_at": 0.0})) == []
