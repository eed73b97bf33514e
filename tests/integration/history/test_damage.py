"""A history that cannot be used says why, and what helps; one that was moved away is made anew and not written to."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crane_celery.errors import SystemFault
from crane_celery.history.engine import Database
from crane_celery.history.migrations import unsupported
from crane_celery.history.sql import SqlHistory
from crane_celery.history.trouble import examine, remedy

Damage = Callable[[Path], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sound history, closed."""
    path = tmp_path / "history.db"
    database = Database(f"sqlite:///{path}")
    with database.writing():
        pass
    database.close()
    return path


def _sql(text: str) -> Damage:
    def damage(path: Path) -> None:
        db = sqlite3.connect(path)
        db.executescript(text)
        db.close()

    return damage


def _foreign(path: Path) -> None:
    path.unlink()
    _sql("CREATE TABLE bookmarks (url TEXT)")(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _middle(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"\xa5" * (size // 3))


DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "truncated": (lambda path: os.truncate(path, 5000), "malformed", "move .* to another place"),
    "no database": (lambda path: path.write_bytes(b"no database at all" * 100) and None, "not a database", "backup"),
    "a newer version": (_sql("UPDATE schema_version SET version = 999"), "version 999", "newer crane-celery"),
    "an older version": (_sql("UPDATE schema_version SET version = 0"), "version 0", "damaged or another"),
    "no version": (_sql("DELETE FROM schema_version"), "version 0", "damaged or another"),
    "another program's": (_foreign, "another program's|no such table", "HistoryUrl|file of its own"),
    "a directory": (_directory, "unable to open|Is a directory", "cannot be opened"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_damage_has_its_advice(file: Path, kind: str) -> None:
    damage, what, advice = DAMAGES[kind]
    assert examine(str(file), unsupported) == ""
    damage(file)
    history = SqlHistory(f"sqlite:///{file}")
    with pytest.raises(SystemFault, match=f"(?s)({what}).*({advice})") as caught:
        history.last_id()
    history.close()
    assert "is writable and has free space" not in str(caught.value)
    found = examine(str(file), unsupported)
    with pytest.raises(AssertionError):
        assert found == ""
    assert remedy(found, str(file))


def test_damage_inside_is_found(file: Path) -> None:
    _middle(file)
    assert "malformed" in examine(str(file), unsupported)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        db.close()


def test_a_locked_history_names_the_lock(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crane_celery.history.engine._PRAGMAS", ("journal_mode=WAL", "busy_timeout=50"))
    database = Database(f"sqlite:///{file}")
    with locked(file), pytest.raises(SystemFault, match=r"locked.*fuser"), database.writing():
        pass
    with database.writing():
        pass
    database.close()


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("attempt to write a readonly database", "chown"),
        ("[Errno 30] Read-only file system: '/h/history.db'", "mounted read-only"),
        ("[Errno 13] Permission denied: '/h/history.db'", "owned by the user"),
        ("database or disk is full", "make room"),
        ("[Errno 28] No space left on device", "make room"),
        ("disk I/O error", "dmesg"),
        ('connection to server at "db" failed: Connection refused', "database server does not answer"),
        ('FATAL:  password authentication failed for user "crane"', "password in HistoryUrl"),
        ("something nobody has seen", "has free space"),
    ],
)
def test_words_of_databases_and_what_helps(said: str, advice: str) -> None:
    assert advice in remedy(said, "/h/history.db")


def test_a_lost_wal_costs_no_more_than_what_was_in_it(file: Path) -> None:
    for name in ("-wal", "-shm"):
        Path(f"{file}{name}").unlink(missing_ok=True)
    history = SqlHistory(f"sqlite:///{file}")
    assert history.last_id() == 0
    history.close()


def test_a_file_that_was_moved_away_is_made_anew_and_not_written_to_any_more(file: Path) -> None:
    database = Database(f"sqlite:///{file}")
    with database.writing() as db:
        db.exec_driver_sql("UPDATE cursor SET ms = 5")
    file.rename(file.with_name("old.db"))
    for name in ("-wal", "-shm"):
        Path(f"{file}{name}").unlink(missing_ok=True)
    with database.writing() as db:
        assert db.exec_driver_sql("SELECT ms FROM cursor").scalar() == 0
        db.exec_driver_sql("UPDATE cursor SET ms = 7")
    assert file.exists()
    with database.reading() as db:
        assert db.exec_driver_sql("SELECT ms FROM cursor").scalar() == 7
    database.close()


def test_there_is_no_history_yet(tmp_path: Path) -> None:
    assert examine(str(tmp_path / "none.db"), unsupported) == ""
    assert not (tmp_path / "none.db").exists()
