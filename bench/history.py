"""Searching a long history: a million ended jobs of 50 users over 30 days, one of whom has half of them.

``python -m bench.history [URL]`` measures the reading side alone, on SQLite or on the PostgreSQL of the URL; ``make
bench`` has a row for the command. Figures are medians, in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from sqlalchemy import Connection, text

from crane_celery.history import record
from crane_celery.history.api import Query, Span
from crane_celery.history.engine import Database
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import Job, JobSpec

JOBS = 1_000_000
#: ids above all that a bench gives out, so that the newest are these
FIRST = 1_000_000_000
BEGAN = 1_700_000_000.0
SPAN_S = 30 * 86400.0
USERS = 50
USER_OF_FEW, USER_OF_MOST = "user2007", "user2000"


def user_of(number: int) -> int:
    """Every other job is of user 0."""
    return 0 if number % 2 else number // 2 % USERS


def fill(database: Database, jobs: int = JOBS) -> None:
    """A million jobs, each a submission with its run, as the recorder would have filed them; by SQL, in seconds."""
    spec = JobSpec(
        name="name", uid=1, gid=1, user="user", partition="CPU", memory=1 << 30, command="job.sh", cwd="/home"
    )
    made = record.encode(Job(id=1, spec=spec, count=1, submitted_at=2.5, pending=""))
    head, middle = made.split('"id":1,', 1)
    middle, tail = middle.split('"submitted_at":2.5', 1)
    with database.writing() as db:
        series = (
            "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < :last)"
            if db.dialect.name == "sqlite"
            else "WITH s AS (SELECT generate_series(0, :last) AS n)"
        )
        uid = f"2000 + CASE n % 2 WHEN 1 THEN 0 ELSE n / 2 % {USERS} END"
        at = f"{BEGAN} + n * {SPAN_S / jobs}"
        words = {"last": jobs - 1, "head": head + '"id":', "middle": "," + middle + '"submitted_at":', "tail": tail}
        db.execute(
            text(
                'INSERT INTO submission (job, count, submitted_at, done_at, uid, "user", name, partition, account, qos,'
                f" record, changes) {series} SELECT {FIRST} + n, 1, {at}, {at} + 400, {uid}, 'user' || ({uid}),"
                f" 'name' || (n % 1000), 'CPU', '', '', :head || ({FIRST} + n) || :middle || ({at}) || :tail, '' FROM s"
            ),
            words,
        )
        db.execute(
            text(
                "INSERT INTO run (id, run, job, rank, uid, state, code, leased_at, began_at, ended_at, allocation,"
                " reason, cpu_s, memory_peak, again, suspended_s, memory_deaths)"
                f" {series} SELECT {FIRST} + n, 1, {FIRST} + n, 0, {uid},"
                f" CASE n % 20 WHEN 0 THEN 'Failed' ELSE 'Completed' END, CASE n % 20 WHEN 0 THEN 1 ELSE 0 END,"
                f" {at} + 100, {at} + 100, {at} + 400, 0, '', 1.5, 4096, 0, 0, 0 FROM s"
            ),
            {"last": jobs - 1},
        )
        _people(db)


def _people(db: Connection) -> None:
    for number in range(USERS):
        db.execute(
            text('INSERT INTO person ("user", uid, used, used_at) VALUES (:user, :uid, 0, 0)'),
            {"user": f"user{2000 + number}", "uid": 2000 + number},
        )


def one_day() -> tuple[float, float]:
    """The day in the middle."""
    return BEGAN + SPAN_S / 2, BEGAN + SPAN_S / 2 + 86400


def queries() -> Iterator[tuple[str, Query]]:
    """Yield what people ask: of a user with few jobs and of the one with most; of a day and of all time."""
    day = Span(*one_day())
    for who, user in (("few", USER_OF_FEW), ("most", USER_OF_MOST)):
        yield f"user of {who}, one day", Query(users=(user,), end=day)
        yield f"user of {who}, one day, failed", Query(users=(user,), end=day, states=("Failed",))
        yield f"user of {who}, began in a day", Query(users=(user,), start=day)
        yield f"user of {who}, submitted in a day", Query(users=(user,), submit=day)
        yield f"user of {who}, first 20 days", Query(users=(user,), end=Span(None, BEGAN + SPAN_S * 2 / 3))
        yield f"user of {who}, last 20 days", Query(users=(user,), end=Span(BEGAN + SPAN_S / 3, None))
        yield f"user of {who}, all time", Query(users=(user,))
    yield "one day", Query(end=day)
    yield "all time", Query()
    yield "name and day", Query(names=("name7",), end=day)
    yield "name, all time", Query(names=("name7",))


def milliseconds(work: Callable[[], object], rounds: int = 5) -> float:
    """The median of some rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def main() -> None:
    """Fill, and print a line for each query."""
    with tempfile.TemporaryDirectory() as work:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{work}/history.db"
        database, start = Database(url), time.perf_counter()
        fill(database)
        database.close()
        print(f"filled in {time.perf_counter() - start:.1f} s")
        history = SqlHistory(url)
        for name, want in queries():
            found = len(history.query(want))
            print(f"{milliseconds(lambda want=want: history.query(want)):8.1f} ms  {found:5d} rows  {name}")
        history.close()


if __name__ == "__main__":
    main()
