"""Logs: one record, one line; nothing that a user wrote forges another."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from crane_celery import log_lines

EVIL = "x\n2026-01-01 00:00:00 forged\x1b[2J\u202e\udce9"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger of a process that has installed it, and what it writes."""
    before, hook = logging.getLogRecordFactory(), sys.excepthook
    log_lines.install()
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger, out
    logging.setLogRecordFactory(before)
    sys.excepthook = hook


def test_a_record_is_one_line(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    logger.warning("job %s", EVIL)
    assert out.getvalue() == "WARNING job " + r"x\x0a2026-01-01 00:00:00 forged\x1b[2J\u202e\udce9" + "\n"


def test_a_traceback_is_indented(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    try:
        raise ValueError(EVIL)
    except ValueError:
        logger.exception("failed")
    first, *rest = out.getvalue().splitlines()
    assert first == "ERROR failed" and all(line.startswith("  ") for line in rest)
    assert r"forged\x1b[2J\u202e\udce9" in rest[-1] and "\x1b" not in out.getvalue()


def test_what_nobody_caught(log: tuple[logging.Logger, io.StringIO], capsys: pytest.CaptureFixture[str]) -> None:
    assert log
    sys.excepthook(ValueError, ValueError(EVIL), None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "ValueError" and all(line.startswith("  ") for line in lines[1:])
