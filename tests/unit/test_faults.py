"""Test what daemons meet and were not made for: counted once for each place, with the item, and shown by doctor."""

import json
import logging
import pathlib

import pytest

from crane_celery import faults


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of this test's own."""
    monkeypatch.setattr(faults, "_recorder", faults._Recorder())


def _fail(item: object) -> None:
    try:
        raise KeyError("gone\x1b[31m")
    except KeyError:
        faults.record("an act failed:", item)


def test_a_place_is_logged_once_and_counted(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    faults.keep_in(str(tmp_path), "tester")
    with caplog.at_level(logging.ERROR):
        for number in range(9):
            _fail(number)
    assert len(caplog.records) == 1
    (fault,) = faults.recorded(str(tmp_path))
    assert (fault.process, fault.times, fault.item) == ("tester", 8, "an act failed: 7")
    lines = (tmp_path / "faults.jsonl").read_text().splitlines()
    assert [json.loads(line)["times"] for line in lines] == [1, 2, 4, 8]
    assert "\x1b" not in fault.error
    faults.forget(str(tmp_path))
    assert faults.recorded(str(tmp_path)) == []


def test_it_never_raises(tmp_path: pathlib.Path) -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    faults.keep_in(str(tmp_path / "absent"), "tester")
    _fail(Bad())
    _fail("half \ud800")
    faults.record("nothing failed")
    (tmp_path / "faults.jsonl").write_text('no JSON\n[]\n{"a": 1}\n')
    assert faults.recorded(str(tmp_path)) == []
