"""Define what Slurm's sbatch knows and we do not: by name, so that it is refused as what it is and never read as
another."""

from __future__ import annotations

from crane_celery.model.fields.row import REFUSED
from crane_celery.model.fields.table import FIELDS

_ROWS = [field for field in FIELDS if field.effect == REFUSED and not field.ours]
_UNKNOWN = {name: field for field in _ROWS for name in field.names("slurm")}


def refusal(option: str) -> str:
    """Return why an option of Slurm's is not taken; "" for one that is not Slurm's either."""
    field = _UNKNOWN.get(option)
    if field is None:
        return ""
    long = field.names("slurm")[-1]
    name = option if long == option else f"{option} ({long})"
    return f"{name} of Slurm is not supported yet: {field.why}"


def abbreviates(prefix: str) -> bool:
    """Return whether a word with its two dashes is the beginning, or the whole, of one of these."""
    return any(name.startswith(prefix) for name in _UNKNOWN)
