"""Define what a job's specification says of the dialect of its script. Pure."""

from typing import Any

from crane_celery.model.fields.table import FIELDS
from crane_celery.service.submit.option_reader import Options
from crane_celery.settings import Settings

DIALECTS = ("lsf", "slurm")
#: options that Slurm's variables repeat only where they were given
_ASKED = tuple(field.key for field in FIELDS if field.asked)


def dialect_of(opt: Options, settings: Settings) -> dict[str, Any]:
    """The fields ``dialect`` and ``asked``; where the configuration wants Slurm's variables for all, every job has it.

    Raises InputError for a dialect that there is not.
    """
    spoken = {word for word in opt.text("dialect").split(",") if word}
    if strange := sorted(spoken - set(DIALECTS)):
        raise opt.error("dialect", f"{strange[0][:60]!r} is none of {', '.join(DIALECTS)}")
    if settings.slurm_env:
        spoken.add("slurm")
    asked = {name: opt.shown(name) for name in _ASKED if opt.given(name)} if "slurm" in spoken else {}
    return {"dialect": ",".join(sorted(spoken)), "asked": asked}
