"""The options of a submission, and how a script with its directives becomes a request to the gateway."""

from __future__ import annotations

from cli.common.paths import expand_paths
from cli.common.script import Source, from_environment, from_script
from crane_celery.errors import InputError
from crane_celery.grammar.export import wants_user_env
from crane_celery.model.fields.options import OPTIONS
from crane_celery.model.fields.row import REFUSED
from crane_celery.surroundings import surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cli.common.job_parser import JobParser

#: options that are the command's own business, not the job's
_OWN = frozenset(
    {
        *("parsable", "wait", "json", "wrap", "script", "args", "test_only", "array_retry", "submit_key"),
        *(field.key for field in OPTIONS if field.local),
    }
)
#: options of one matter: one given later in the order script, environment, command line takes the place of the other
_RIVALS = (("mem", "mem_per_cpu"), ("array_each_line", "array_from_json"), ("array", "repeat"))


def add_options(parser: JobParser, front: str = "ours") -> None:
    """Add the options that describe a job, by the names of a front end: on the command line as in directives."""
    one_of: dict[str, Any] = {}
    for field in OPTIONS:
        names = field.names(front)
        if not names:
            continue
        if field.effect == REFUSED:
            parser.later(*names, takes_value=bool(field.value), why=field.why)
            continue
        help_text = field.help.replace("%", "%%")
        if field.value.startswith("["):
            parser.add_argument(
                *names, dest=field.key, nargs="?", const=True, metavar=field.value.strip("[]"), help=help_text
            )
        elif field.value:
            parser.add_argument(*names, dest=field.key, metavar=field.value, help=help_text)
        elif field.const:
            again = one_of.setdefault(field.key, parser.add_mutually_exclusive_group())
            again.add_argument(*names, dest=field.key, action="store_const", const=field.const, help=help_text)
        else:
            parser.add_argument(*names, dest=field.key, action="store_true", help=help_text)


def add_ways(parser: JobParser) -> None:
    """Add the options of how the command itself goes on and answers; a script may ask for it, too."""
    parser.add_argument("--parsable", action="store_true", help="print the job id only")
    parser.add_argument("-W", "--wait", action="store_true", help="wait for the job and exit with its exit code")
    parser.add_argument("--json", action="store_true", help="answer in one line of JSON")


def assemble(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the job as the gateway takes it, all options: the script's, over them the environment's, over them ``given``).

    Raises InputError, NotSupported.
    """
    source = Source(given)
    where: dict[str, str] = {}
    options: dict[str, Any] = {}
    written, dialects = from_script(source, where)
    for layer in (*written, *from_environment(where, "slurm" in dialects), given):
        options = _over(options, layer)
    where = {name: place for name, place in where.items() if name not in given}
    args = options.get("args") or []
    if "wrap" in given and (given.get("script") or args):
        raise InputError("--wrap excludes a script: give one of them")
    expand_paths(options, where)
    wanted = {name: value for name, value in options.items() if name not in _OWN}
    wanted.setdefault("job_name", source.name)
    wanted["command"] = " ".join([source.shown, *args])
    if dialects:
        wanted["dialect"] = ",".join(dialects)
    job = {
        "options": wanted,
        "where": where,
        "script": source.text,
        "argv": args,
        **_items(options),
        **surroundings(options.get("export")),
    }
    if wants_user_env(str(options.get("export", ""))):
        wanted["get_user_env"] = True
    return job, options


def _over(options: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Options with those of a layer above; of rivals the upper one stays."""
    kept = dict(options)
    for pair in _RIVALS:
        for one, other in (pair, pair[::-1]):
            if one in layer and other not in layer:
                kept.pop(other, None)
    return {**kept, **layer}


def _items(options: dict[str, Any]) -> dict[str, Any]:
    """The values of an array made from a list. Raises InputError."""
    if "array_each_line" not in options and "array_from_json" not in options:
        return {}
    from cli.common.array_items import read_items

    return {"items": read_items(options)}
