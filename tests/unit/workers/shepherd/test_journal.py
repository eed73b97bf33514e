"""The journal: what was said comes back, whatever line it was torn at."""

import pathlib

from crane_celery.wire.node import RunEnded, row
from workers.shepherd.journal import Ledger
from workers.shepherd.records import PRIMARY, Run, Step


def _run(id_: int) -> Run:
    run = Run(id=id_, run=1, uid=1, gid=1, groups=[1], cpus=2.0, memory=5, grace=1.0, limit=0.0, pen="p0")
    run.steps[PRIMARY] = Step(number=PRIMARY)
    return run


def _open(path: pathlib.Path, boot: str = "b") -> Ledger:
    return Ledger(str(path), boot)


def test_what_is_committed_comes_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    run = _run(1)
    ledger.accept(run)
    ledger.step(run, Step(number=2, ntasks=3, name="s"))
    ledger.stop((1, 1), PRIMARY, "cancel", 5.0)
    ledger.bury((9, 1))
    ledger.report(RunEnded(7, 1, 0, "", 1.0, 2.0), durable=True)
    ledger.commit()
    for _ in range(2):  # as written, and as compacted
        again = _open(path)
        assert again.runs[1, 1].line() == run.line()
        assert again.runs[1, 1].steps[2].ntasks == 3
        assert again.runs[1, 1].next_step == 3
        assert again.stops == {((1, 1), PRIMARY): ("cancel", 5.0)}
        assert list(again.tombs) == [(9, 1)]
        assert again.reports == {1: row(RunEnded(7, 1, 0, "", 1.0, 2.0))}
        assert again.seq == 1


def test_a_run_in_its_epilog_comes_back_with_its_end(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    run = _run(1)
    run.hooks = {"prolog": "/p", "epilog": "/e", "env": {}}
    ledger.accept(run)
    run.stage, run.hook = "epilog", (7, 8)
    run.primary.status[0], run.primary.cause, run.primary.ended = -9, "limit", 12.0
    ledger.stage(run)
    ledger.commit()
    for _ in range(2):  # as written, and as compacted
        again = _open(path).runs[1, 1]
        assert (again.stage, again.hook, again.hooks) == ("epilog", (7, 8), run.hooks)
        assert (again.primary.worst, again.primary.cause, again.primary.ended) == (-9, "limit", 12.0)


def test_acknowledged_and_closed_and_forgotten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    for id_ in (1, 2):
        ledger.accept(_run(id_))
    ledger.close((1, 1))
    ledger.forget((2, 1))
    ledger.ack(ledger.report(RunEnded(1, 1, 0, "", 1.0, 2.0), durable=True))
    ledger.commit()
    again = _open(path)
    assert not again.runs and not again.reports
    assert list(again.closed) == [(1, 1)]
    assert again.seq == 1


def test_a_torn_line_is_passed_over(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    ledger.accept(_run(1))
    ledger.commit()
    with path.open("ab") as file:
        file.write(b'["l",[2,1,')
    assert list(_open(path).runs) == [(1, 1)]


def test_another_boot_voids_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    ledger.accept(_run(1))
    ledger.commit()
    assert not _open(path, "another").runs


def test_rolled_back_is_not_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    ledger = _open(path)
    mark = ledger.mark()
    ledger.accept(_run(1))
    ledger.rollback(mark)
    ledger.commit()
    assert not _open(path).runs


def test_it_is_nobody_else_s_to_read(tmp_path: pathlib.Path) -> None:
    _open(tmp_path / "journal")
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
