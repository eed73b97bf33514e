"""Define what was said of a job beside what has a field: attributes, mail, options without effect. Pure."""

import json
from typing import Any

from crane_celery.errors import InputError
from crane_celery.model.fields.row import RECORDED
from crane_celery.model.fields.table import FIELDS
from crane_celery.service.submit.option_reader import Options

MAX_EXTRA = 16 << 10
#: characters of each option that is only kept
MAX_KEPT = 1000
#: levels of --extra-attr
_MAX_DEPTH = 32
#: recorded without effect, and in no field of their own
_KEPT = [field.key for field in FIELDS if field.effect == RECORDED and not field.read]


def extra_of(opt: Options) -> str:
    """``--extra-attr`` with what was said without effect, mail as CraneSched keeps it; JSON text, "" for nothing."""
    nothing: dict[str, Any] = {}
    found = dict(opt.read("extra_attr", _object, nothing))
    for name in _KEPT:
        if said := opt.word(name)[:MAX_KEPT]:
            found[name.replace("_", "." if name.startswith("mail") else "-")] = said
    return json.dumps(found, separators=(",", ":")) if found else ""


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f'is not JSON ({error}): write an object such as \'{{"project": "x"}}\'') from None
    if not isinstance(found, dict):
        raise InputError('must be a JSON object such as \'{"project": "x"}\'')
    if len(text) > MAX_EXTRA:
        raise InputError(f"has {len(text)} characters, the limit is {MAX_EXTRA}")
    if _is_deep(found):
        raise InputError(f"is nested more than {_MAX_DEPTH} levels deep")
    return found


def _is_deep(value: Any) -> bool:
    """Return whether JSON is nested deeper than whoever shows it later can follow."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        parts = [each for each in level if isinstance(each, dict | list)]
        level = [one for each in parts for one in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in level)
