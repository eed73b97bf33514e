"""One record that cannot be filed costs the history nothing else, and can be filed later or dropped."""

import pathlib

import pytest

from crane_celery import quarantine
from crane_celery.errors import SystemFault
from crane_celery.history import sieve
from crane_celery.history.api import Query
from crane_celery.history.engine import BadRecord
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.model.checks import BadValue
from crane_celery.store.api import Ended, Report
from tests.integration.history.test_recorder import drain
from tests.support.site import Site

#: no UTF-8, NUL, half a character, direction marks
ODD = "caf\udce9 \0 \ud800 \u202e \ufdd0"


@pytest.fixture
def aside(tmp_path: pathlib.Path) -> str:
    """Provide where items are set aside."""
    return str(tmp_path / "aside")


def _end(site: Site, id: int, reason: str) -> None:
    now = site.store.now()
    end = Ended(id, 1, "Failed", 1, now - 1.0, now, reason, 0.5, 4096)
    site.store.report("n1", site.epochs["n1"], Report(ended=[end]))


def test_text_that_is_not_utf8_is_filed_and_shown_as_it_was(
    site: Site, filing: Filing, history: SqlHistory, aside: str
) -> None:
    job = site.submit(name=ODD, user=ODD)
    site.start(job, 0)
    _end(site, job, reason=ODD)
    drain(Recorder(site.store, filing, aside))
    (row,) = history.query(Query(names=(ODD,)))
    assert (row["name"], row["user"], row["reason"]) == (ODD, ODD, ODD)
    assert quarantine.listed(aside) == []


def test_a_row_that_the_database_refuses_is_set_aside_alone(
    site: Site, filing: Filing, history: SqlHistory, aside: str
) -> None:
    good, bad, later = site.submit(), site.submit(), site.submit()
    for job in (good, bad, later):
        site.start(job, 0)
    now = site.store.now()
    ends = [Ended(job, 1, "Failed", 1, now - 1.0, now, "", 0.5, peak) for job, peak in ((good, 7), (bad, 2**70))]
    site.store.report("n1", site.epochs["n1"], Report(ended=ends))
    site.end(later)
    drain(Recorder(site.store, filing, aside))
    assert {row["jobid"] for row in history.query(Query())} == {str(good), str(later)}
    (item,) = quarantine.listed(aside)
    assert (item.kind, item.process) == ("event", "recorder")
    with pytest.raises((BadRecord, BadValue, OverflowError, SystemFault)):
        sieve.retry(filing, item)
    seq, at, kind, data = item.value
    (row,) = data["rows"]
    mended = [
        seq,
        at,
        kind,
        {**data, "rows": [[1 if isinstance(cell, int) and cell > 2**63 else cell for cell in row]]},
    ]
    sieve.retry(filing, item._replace(value=mended))
    assert {row["jobid"] for row in history.query(Query())} == {str(good), str(bad), str(later)}


def test_a_database_that_takes_nothing_loses_nothing(
    site: Site, filing: Filing, aside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(8):
        site.ran()

    def refuse(*_: object) -> None:
        raise BadRecord("permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(filing, "_write", refuse)
        before = filing.cursor()
        with pytest.raises((SystemFault, BadRecord)):
            Recorder(site.store, filing, aside).step(0.0)
        assert filing.cursor() == before
    drain(Recorder(site.store, filing, aside))
    assert filing.unfinished() == set()
