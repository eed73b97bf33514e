"""From no tables, or those of an older version, to those of ``schema``: all in the transaction of the first use.

A step is written once and never changed after a release: it names columns in SQL of its own, not those of ``schema``,
which go on changing.
"""

from collections.abc import Callable

from sqlalchemy import Connection, inspect, select, text, update

from crane_celery.errors import SystemFault
from crane_celery.history.schema import CURSOR, METADATA, SCHEMA_VERSION, VERSION

#: any number, the same in all processes: who makes or changes the tables holds it (PostgreSQL; SQLite has one writer)
_LOCK = 7_306_181
#: how the fault of a version begins; what helps stands behind its first colon
VERSIONED = "the history has schema version"


def prepare(db: Connection) -> None:
    """Make the tables, or bring them to this version. Runs in a transaction; two at once are safe.

    Raises SystemFault for a database that a newer program has made.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    if not inspect(db).has_table(SCHEMA_VERSION.name):
        if db.dialect.name == "sqlite" and (others := inspect(db).get_table_names()):
            raise SystemFault(
                f"the database that HistoryUrl names is another program's (it has a table {others[0][:60]!r} and no"
                " schema_version): name a file of its own for the history"
            )
        METADATA.create_all(db)
        db.execute(SCHEMA_VERSION.insert(), {"version": VERSION})
        db.execute(CURSOR.insert(), {"only": 1, "ms": 0, "seq": 0, "gap": 0})
    found = int(db.scalar(select(SCHEMA_VERSION.c.version)) or 0)
    if wrong := unsupported(found):
        raise SystemFault(wrong)
    for version in range(found, VERSION):
        STEPS[version](db)
        db.execute(update(SCHEMA_VERSION), {"version": version + 1})


def unsupported(found: int) -> str:
    """Return what is wrong with a schema version and what helps, "" = nothing."""
    if 1 <= found <= VERSION:
        return ""
    knows = f"{VERSIONED} {found} and this program knows versions 1 to {VERSION}"
    if found > VERSION:
        return f"{knows}: run the newer crane-celery that made it, or name another database with HistoryUrl"
    return f"{knows}: it is damaged or another program's; name another database with HistoryUrl, or move it away"


def _from_1(db: Connection) -> None:
    """Requeues, changes, ends by the leader, what happened beside runs, and what each person used."""
    tail = " WITHOUT ROWID" if db.dialect.name == "sqlite" else ""
    for statement in (
        "ALTER TABLE cursor ADD COLUMN half_life DOUBLE PRECISION NOT NULL DEFAULT -1",
        "ALTER TABLE submission ADD COLUMN changes TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE run ADD COLUMN again SMALLINT NOT NULL DEFAULT 0",
        "ALTER TABLE cancelled ADD COLUMN state VARCHAR NOT NULL DEFAULT 'Cancelled'",
        "ALTER TABLE cancelled ADD COLUMN code SMALLINT NOT NULL DEFAULT 320",
        "ALTER TABLE cancelled ADD COLUMN reason TEXT NOT NULL DEFAULT ''",
        "DROP INDEX submission_by_user",
        "DROP INDEX submission_by_time",
        "CREATE INDEX submission_by_time ON submission (submitted_at, job, count)",
        "CREATE TABLE told (job BIGINT NOT NULL, ms BIGINT NOT NULL, seq BIGINT NOT NULL, nth INTEGER NOT NULL,"
        " at DOUBLE PRECISION NOT NULL, kind VARCHAR NOT NULL, ranks TEXT NOT NULL, detail TEXT NOT NULL,"
        f" by_uid BIGINT NOT NULL, PRIMARY KEY (job, ms, seq, nth)){tail}",
        "INSERT INTO told SELECT job, 0, first, 0, at, 'cancel',"
        " CASE WHEN first = last THEN CAST(first AS VARCHAR) ELSE first || '-' || last END, '', by_uid FROM cancelled",
        'CREATE TABLE person ("user" VARCHAR NOT NULL, uid BIGINT NOT NULL, used DOUBLE PRECISION NOT NULL,'
        f' used_at DOUBLE PRECISION NOT NULL, PRIMARY KEY ("user", uid)){tail}',
        'INSERT INTO person SELECT DISTINCT "user", uid, 0.0, 0.0 FROM submission',
        "UPDATE run SET again = 1"
        " WHERE EXISTS (SELECT 1 FROM run AS newer WHERE newer.id = run.id AND newer.run > run.run)",
    ):
        db.exec_driver_sql(statement)


def _from_2(db: Connection) -> None:
    """One row for each cancel, not for each of its ranges: what there is are rows of one range."""
    postgresql = db.dialect.name == "postgresql"
    for statement in (
        "CREATE TABLE cancelled_3 (job BIGINT NOT NULL, last BIGINT NOT NULL, first BIGINT NOT NULL,"
        " count BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL, uid BIGINT NOT NULL, by_uid BIGINT NOT NULL,"
        " state VARCHAR NOT NULL, code SMALLINT NOT NULL, reason TEXT NOT NULL, ranks TEXT NOT NULL,"
        f" PRIMARY KEY (job, last)){'' if postgresql else ' WITHOUT ROWID'}",
        "INSERT INTO cancelled_3 SELECT job, last, first, last - first + 1, at, uid, by_uid, state, code, reason, ''"
        " FROM cancelled",
        "DROP TABLE cancelled",
        "ALTER TABLE cancelled_3 RENAME TO cancelled",
        *(["ALTER INDEX cancelled_3_pkey RENAME TO cancelled_pkey"] if postgresql else []),
        "CREATE INDEX cancelled_by_user ON cancelled (uid, at)",
    ):
        db.exec_driver_sql(statement)


def _from_3(db: Connection) -> None:
    """Add how long runs were suspended; of runs on file nobody knows."""
    for statement in (
        "ALTER TABLE run ADD COLUMN suspended_s DOUBLE PRECISION NOT NULL DEFAULT 0",
        "ALTER TABLE open_run ADD COLUMN suspended_at DOUBLE PRECISION NOT NULL DEFAULT 0",
        "ALTER TABLE open_run ADD COLUMN suspended_s DOUBLE PRECISION NOT NULL DEFAULT 0",
    ):
        db.exec_driver_sql(statement)


def _from_4(db: Connection) -> None:
    """Processes killed because memory ran out."""
    for table in ("run", "step"):
        db.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN memory_deaths INTEGER NOT NULL DEFAULT 0")


#: version -> what brings its tables to the next one
STEPS: dict[int, Callable[[Connection], None]] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}
