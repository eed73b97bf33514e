"""The whole table of job fields, and what is asked of it."""

from __future__ import annotations

from crane_celery.model.fields.known import KNOWN
from crane_celery.model.fields.options import OPTIONS
from crane_celery.model.fields.row import RECORDED, REFUSED, Field
from crane_celery.model.fields.strange import LSFS, SLURMS

FIELDS: tuple[Field, ...] = (*OPTIONS, *SLURMS, *LSFS, *KNOWN)


def changeable() -> frozenset[str]:
    """Return the fields of a specification that may be changed after submission."""
    return frozenset(name for field in FIELDS if field.changeable for name in field.sets)


def recorded() -> list[str]:
    """Return the keys of options that are kept with a job and have no effect."""
    return [field.key for field in FIELDS if field.effect == RECORDED]


def sendable() -> frozenset[str]:
    """Return the keys that a request to the gateway may have."""
    own = ("command", "dialect")
    return frozenset(
        field.key
        for field in FIELDS
        if field.key in own or (field.effect != REFUSED and not field.local and (field.ours or field.slurm))
    )


def setters() -> dict[str, tuple[str, ...]]:
    """Return the fields of a specification that each option sets."""
    return {field.key: field.sets for field in FIELDS if field.sets and (field.ours or field.slurm)}


def searched() -> list[tuple[str, str]]:
    """Return the conditions that the history has a column for, each with the key of its field."""
    return [(field.filter.name, field.key) for field in FIELDS if field.filter and field.filter.searched]


def equal() -> list[tuple[str, str]]:
    """Return the conditions that the value of one field passes or not, each with its key."""
    return [(field.filter.name, field.key) for field in FIELDS if field.filter and field.filter.equal]
