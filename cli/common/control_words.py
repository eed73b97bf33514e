"""The words of ``ccontrol``: ``key=value`` and ``key value``, in any case, values quoted or not. Pure.

What a key means, and which there are, is the gateway's to say; here only the notation counts.
"""

from __future__ import annotations

from crane_celery.errors import InputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: the word before a job id list -> what it names
ENTITIES = {
    **dict.fromkeys(("jobid", "job", "jobs", "jobids"), "job"),
    **dict.fromkeys(("nodename", "node", "nodes"), "node"),
    **dict.fromkeys(("partitionname",), "partition"),
}
#: Slurm's changes of a value: ``TimeLimit+=30`` is sent as the value ``+30``
_SIGNS = "+-"


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Keys in lower case with their values, in the order written. InputError for a key without a value."""
    found: list[tuple[str, str]] = []
    left = iter(words)
    for word in left:
        key, equals, value = word.partition("=")
        if not equals:
            following = next(left, None)
            if following is None:
                raise InputError(f"{word!r} has no value: write {word}=VALUE, or {word} VALUE")
            value = following
        elif key and key[-1] in _SIGNS:
            key, value = key[:-1], key[-1] + value
        if not key:
            raise InputError(f"{word!r} has no key: write KEY=VALUE")
        found.append((key.lower(), unquoted(value)))
    return found


def unquoted(value: str) -> str:
    """A value without the quotes that stand around all of it."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def changes(words: Sequence[str]) -> tuple[str, str, dict[str, str]]:
    """(what kind of thing, its names, what to set) of an ``update``. InputError when nothing is named or set."""
    kind = names = ""
    wanted: dict[str, str] = {}
    given = list(words)
    if given and given[0].lower() in ENTITIES and len(given) > 1 and _entity(given[1]) == ENTITIES[given[0].lower()]:
        del given[0]  # ``update job jobid=12 ...``
    for key, value in pairs(given):
        if key in ENTITIES and not kind:
            kind, names = ENTITIES[key], value
        elif key in wanted:
            raise InputError(f"{key} is set twice: write it once")
        else:
            wanted[key] = value
    if not names.strip():
        raise InputError("update what? write jobid=IDS, nodename=HOSTS or partitionname=NAME, then KEY=VALUE")
    if not wanted:
        raise InputError(f"update {names[:60]} to what? write KEY=VALUE, such as timelimit=1:00:00 or state=drain")
    return kind, names, wanted


def _entity(word: str) -> str:
    return ENTITIES.get(word.partition("=")[0].lower(), "")


def listed(words: Sequence[str]) -> str:
    """Ids, separated by blanks or commas, ``jobid=`` before them or not, as one list."""
    values = [word.partition("=")[2] if _entity(word) and "=" in word else word for word in words]
    if len(values) > 1 and values[0].lower() in ENTITIES:
        del values[0]  # ``hold jobid 12``
    return ",".join(unquoted(value) for value in values)


def ids_and(words: Sequence[str], *keys: str) -> tuple[str, dict[str, str]]:
    """Ids, then what follows from the first of ``keys`` on as pairs; InputError for a key of another name."""
    at = next((n for n, word in enumerate(words) if word.partition("=")[0].lower() in keys), len(words))
    given = dict(pairs(words[at:]))
    for key in given:
        if key not in keys:
            from crane_celery.grammar.names import did_you_mean

            raise InputError(f"unknown key {key!r}{did_you_mean(key, keys) or ': there is ' + ', '.join(keys)}")
    return listed(words[:at]), given


def ids_and_changes(words: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Ids, then from the first word that is neither an id nor ``jobid`` on what to change, as pairs. InputError for a
    key that is set twice."""
    keys = (n for n, word in enumerate(words) if word[:1].isalpha() and not _entity(word))
    at = next(keys, len(words))
    wanted: dict[str, str] = {}
    for key, value in pairs(words[at:]):
        if key in wanted:
            raise InputError(f"{key} is set twice: write it once")
        wanted[key] = value
    return listed(words[:at]), wanted
