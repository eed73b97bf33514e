"""The database behind the history: opened by URL, with what each dialect needs to be safe and quick."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.sql.dml import Insert

from crane_celery.errors import ConfigError, SystemFault
from crane_celery.history.migrations import prepare
from crane_celery.history.trouble import remedy

#: how long a writer waits for another one's transaction, milliseconds
_BUSY_MS = 10_000
#: an fsync per transaction: the stream is trimmed behind what was filed, so nothing filed may be lost
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={_BUSY_MS}",
    "temp_store=MEMORY",
    "cache_size=-65536",
)
_WRITES = "crane_writes"


class BadRecord(Exception):
    """The database refuses what is to be written, not the writing."""


class Database:
    """An engine whose tables exist. Cheap to make: it connects when it is first used."""

    def __init__(self, url: str) -> None:
        """``url`` as SQLAlchemy takes it. Raises ConfigError for one that it does not understand."""
        try:
            self._engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ConfigError(
                f"history_url {_shown(url)}: {error}; write sqlite:////path/history.db, or postgresql+psycopg://..."
                " with that driver installed"
            ) from error
        self._prepared = False
        database = self._engine.url.database
        sqlite_file = self._engine.dialect.name == "sqlite" and database != ":memory:"
        self._file = database or "" if sqlite_file else ""
        self._known: tuple[int, int] | None = None
        if self._engine.dialect.name == "sqlite":
            _tune_sqlite(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that sees one state of the database. Raises SystemFault."""
        with self._transaction(False) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the writer's lock from its beginning.

        Raises SystemFault, or BadRecord for values that the database does not take; then nothing is written.
        """
        with self._transaction(True) as db:
            yield db

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ON CONFLICT, which SQLAlchemy has per dialect only."""
        return postgresql.insert(table) if self._engine.dialect.name == "postgresql" else sqlite.insert(table)

    def insert_new(self, table: Table) -> Insert:
        """An insert that passes over rows whose key is there already."""
        return self.insert(table).on_conflict_do_nothing()

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, writes: bool) -> Iterator[Connection]:
        try:
            self._prepare()
            with self._engine.connect().execution_options(**{_WRITES: writes}) as db, db.begin():
                yield db
        except (DataError, IntegrityError, ProgrammingError) as error:
            if writes:
                raise BadRecord(str(error.orig)) from error
            raise self._fault(error.orig) from error
        except DBAPIError as error:
            raise self._fault(error.orig) from error
        except NoConnection as error:
            raise self._fault(error) from error

    def _prepare(self) -> None:
        """Make the tables, once per process."""
        self._follow_file()
        if self._prepared:
            return
        if self._file:
            try:
                Path(self._file).parent.mkdir(parents=True, exist_ok=True)
                Path(self._file).touch(mode=0o600)  # everybody's jobs: whose business they are, the gateway decides
            except OSError as error:
                raise self._fault(error) from error
            self._follow_file()
        with self._engine.connect().execution_options(**{_WRITES: True}) as db, db.begin():
            prepare(db)
        self._prepared = True

    def _fault(self, cause: BaseException | None) -> SystemFault:
        return SystemFault(
            f"the history at {_shown(self._engine.url)} failed: {cause}; {remedy(cause, self._file or 'the database')}"
        )

    def _follow_file(self) -> None:
        """Open the file anew where another one lies at its path: nobody would ever read what goes on being written to
        one that was moved away."""
        try:
            found = os.stat(self._file) if self._file else None
        except OSError:
            found = None
        known = (found.st_dev, found.st_ino) if found else None
        if self._prepared and known != self._known:
            self._engine.dispose()
            self._prepared = False
        self._known = known


def _shown(url: str | URL) -> str:
    """A URL without its password."""
    try:
        return make_url(url).render_as_string()
    except ArgumentError:
        return "(not a URL)"


def _tune_sqlite(engine: Engine) -> None:
    """WAL (readers never wait for the recorder), and transactions that begin where we say, as what we say."""

    @event.listens_for(engine, "connect")
    def on_connect(raw: SqliteConnection, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(db: Connection) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get(_WRITES) else "BEGIN")
