"""The accounting record: every job, run and step that ended, in an SQL database, fed by the event stream."""

from crane_celery.history.api import ANY_TIME, History, Query, Row, Span

__all__ = ["ANY_TIME", "History", "Query", "Row", "Span", "open_history"]


def open_history(url: str) -> History:
    """The history in the database at this SQLAlchemy URL; tables are made on first use. Raises ConfigError."""
    from crane_celery.history.sql import SqlHistory  # SQLAlchemy is slow to import: only who reads history pays

    return SqlHistory(url)
