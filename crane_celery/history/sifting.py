"""Conditions that SQL says only nearly, judged row by row. Pure.

Columns of a submission hold what is in force for all of it, and a record's text is searched for words. What is in force
for one element, its row says.
"""

from crane_celery.grammar.licenses import parse_licenses
from crane_celery.history.api import ANY_TIME, Query, Row
from crane_celery.model.fields.table import searched

#: conditions on what can be changed for some elements of a submission, and the keys of a row that they are about
_IN_FORCE = searched()


def needed(want: Query) -> bool:
    """Return whether there is such a condition."""
    return any(getattr(want, wanted) for wanted, _ in _IN_FORCE) or bool(want.licenses) or want.deadline != ANY_TIME


def meant(row: Row, want: Query) -> bool:
    """Return whether a row, or one of what is true of all of a submission, passes them all."""
    return (
        all(not (values := getattr(want, wanted)) or row[key] in values for wanted, key in _IN_FORCE)
        and (not want.licenses or _asks_for(row["licenses"], want.licenses))
        and (want.deadline == ANY_TIME or _in_deadline(row["deadline"], want))
    )


def _asks_for(text: str, names: tuple[str, ...]) -> bool:
    return bool(text) and any(item.name in names for item in parse_licenses(text).items)


def _in_deadline(at: float, want: Query) -> bool:
    """0 = it has none, which is in no span."""
    low, high = want.deadline
    return at > 0 and (low is None or at >= low) and (high is None or at <= high)
