"""Define what is wrong with a history, and what helps: from the words of the database. Pure, but for `examine`."""

import os
import re
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

_BIG = 256 << 20  # bytes: checking more takes longer than anybody waits for


class _Kind(NamedTuple):
    """Words of a database and what to do about it; ``{file}``: the database's file, or its URL."""

    words: re.Pattern[str]
    remedy: str


def _kind(words: str, remedy: str) -> _Kind:
    return _Kind(re.compile(words, re.I), remedy)


_KINDS = (
    _kind(
        "malformed|not a database|file is encrypted|disk image|unsupported file format",
        "the file is damaged: move {file} and the -wal and -shm beside it to another place; the recorder then makes a"
        " new one and files what the server still has. Copy a backup there first, or what"
        " `sqlite3 OLD .recover | sqlite3 {file}` saves of the old one. Jobs run on meanwhile",
    ),
    _kind(
        "database or disk is full|No space left|disk full|quota exceeded",
        "the disk is full: make room there; what is not filed yet waits in the server",
    ),
    _kind(
        "database is locked|database table is locked|lock timeout",
        "another program holds it locked (a backup, an sqlite3 shell?): end that, `fuser {file}` names it",
    ),
    _kind(
        "readonly|read-only",
        "it cannot be written: give the user of the daemons the right to write {file} and its directory (chown, chmod),"
        " and see that the file system is not mounted read-only",
    ),
    _kind(
        "unable to open|Permission denied|Not a directory|Is a directory|No such file",
        "it cannot be opened: see that {file} is a file in a directory that exists, both owned by the user of the"
        " daemons",
    ),
    _kind("I/O error|Input/output error", "the disk fails, or its file system: see dmesg, and have a backup ready"),
    _kind(
        "could not connect|connection (refused|failed|timed out)|server closed the connection|could not translate host",
        "the database server does not answer: see that it runs and that HistoryUrl names it",
    ),
    _kind(
        "password authentication|role .* does not exist|permission denied for",
        "the database server does not let us in: see the user and the password in HistoryUrl, and its rights there",
    ),
    _kind(
        "no such (table|column)|has no column|does not exist",
        "its tables are not ours, or not all there: name another database with HistoryUrl, or move {file} away",
    ),
)
_OTHER = "see that its directory exists, is writable and has free space"


def remedy(cause: object, file: str) -> str:
    """Return what helps against an error of a database."""
    text = str(cause)
    found = next((kind.remedy for kind in _KINDS if kind.words.search(text)), _OTHER)
    return found.format(file=file)


def examine(file: str, supported: Callable[[int], str]) -> str:
    """Return what is wrong with an SQLite history, "" = nothing. Changes nothing. ``supported``: what is wrong with a
    schema version, "" = nothing."""
    if not os.path.exists(file):
        return ""
    try:
        with open(file, "rb"):
            pass
        db = sqlite3.connect(
            f"file:{file.replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=ro", uri=True
        )
        try:
            if wrong := supported(int((db.execute("SELECT version FROM schema_version").fetchone() or [0])[0])):
                return wrong
            if os.path.getsize(file) <= _BIG:
                said = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
                if said != "ok":
                    return f"database disk image is malformed: {said}"
            else:
                db.execute("SELECT * FROM cursor").fetchall()
        finally:
            db.close()
    except (sqlite3.Error, OSError, ValueError, TypeError) as error:
        return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return ""
