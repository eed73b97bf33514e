"""One job as it arrives in a submission: what is to run, and how large that may be.

The limits are the kernel's: a string of an argument or of the environment has at most 128 KiB (MAX_ARG_STRLEN), all of
them together a quarter of the stack limit, 2 MiB by default, of which the node needs some for itself.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from crane_celery.errors import InputError
from crane_celery.grammar.memory import format_size
from crane_celery.model.body import pack_items

MAX_SCRIPT = 4 << 20
MAX_STRING = (128 << 10) - 1
MAX_STRINGS = 3 << 19
MAX_PATH = 3969
#: all items of an array together: as much as the server takes in without being blocked for long
MAX_ITEMS = 16 << 20
#: options that go to the node as they came
_UNREAD = ("interpreter", "mail_type", "mail_user")
_POINTER = 8
_ITEM_NAME = len("CRANE_ARRAY_ITEM=")


class JobRequest(NamedTuple):
    """A job to be, as the client sent it; option values are still text."""

    options: Mapping[str, Any]
    script: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str = "/"
    tz: str = ""
    umask: int = 0o022
    host: str = ""
    #: option -> where it was written ("line 3"), for messages
    where: Mapping[str, str] = {}
    #: of an array made from a list: the value of each element, by rank
    items: Sequence[str] = ()


def read_request(job: Mapping[str, Any], common: Mapping[str, Any]) -> JobRequest:
    """One entry of ``jobs``, on top of what is common to all; InputError for a wrong type or size."""
    found = {**common, **job}
    unknown = sorted(set(found) - set(JobRequest._fields))
    if unknown:
        raise InputError(f"unknown job field {unknown[0][:60]!r}: known are {', '.join(JobRequest._fields)}")
    request = JobRequest(
        options=_typed(found, "options", dict, {}),
        script=_typed(found, "script", str, "").removeprefix("\ufeff"),
        argv=tuple(_typed(found, "argv", list, [])),
        env=_typed(found, "env", dict, {}),
        cwd=_typed(found, "cwd", str, "/"),
        tz=_typed(found, "tz", str, "")[:100],
        umask=_typed(found, "umask", int, 0o022) & 0o777,
        host=_typed(found, "host", str, "")[:255],
        where=_typed(found, "where", dict, {}),
        items=_typed(found, "items", list, []),
    )
    check(request)
    return request


def check(request: JobRequest) -> None:
    """Raise InputError for what could never be executed."""
    if not request.script.strip():
        raise InputError("the script is empty: write the commands to run into it")
    if len(request.script) > MAX_SCRIPT:
        raise InputError(
            f"the script has {format_size(len(request.script), up=True)}, the limit is {format_size(MAX_SCRIPT)}"
        )
    if "\0" in request.script:
        raise InputError("the script is a binary file: submit a text script, or a program with --wrap")
    for text, what in (
        (request.script, "the script"),
        (request.cwd, "the working directory"),
        (request.host, "the host"),
    ):
        if not text.isascii():
            _bytes(text, what)
    check_options(request.options)
    if not request.cwd.startswith("/") or "\0" in request.cwd or len(request.cwd) > MAX_PATH:
        raise InputError(f"working directory {request.cwd[:60]!r} must be an absolute path of at most {MAX_PATH} bytes")
    check_strings(request.argv, request.env)


def check_options(options: Mapping[str, Any]) -> None:
    """Raise InputError for half a character in an option, and for a wrong type where no grammar reads the option."""
    for name in _UNREAD:
        if not isinstance(options.get(name) or "", str):
            raise InputError(f"option {name} must be a text")
        _bounded(options.get(name) or "", f"option {name}")
    for name, value in options.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii():
                _bytes(text, f"option {name[:60]}")


def check_strings(argv: tuple[str, ...], env: Mapping[str, str]) -> None:
    """Raise InputError where arguments or environment are beyond what a program can be started with."""
    total = 0
    for number, word in enumerate(argv, 1):
        total += _size(word, f"argument {number}")
    for name, value in env.items():
        if not name or "=" in name:
            raise InputError(f"bad environment variable name {name[:60]!r}")
        total += _size(name, "the name of an environment variable")
        total += _size(value, f"environment variable {name[:60]}") + 1
    if total > MAX_STRINGS:
        raise InputError(
            f"arguments and environment have {format_size(total, up=True)} together, the limit is"
            f" {format_size(MAX_STRINGS)}:"
            " pass large data in files, or fewer variables with --export"
        )


def _size(word: object, what: str) -> int:
    if not isinstance(word, str):
        raise InputError(f"{what} must be a text")
    size = len(word) if word.isascii() else len(_bytes(word, what))
    if size > MAX_STRING:
        raise InputError(
            f"{what} has {format_size(size, up=True)}, the limit is {format_size(MAX_STRING)}:"
            " pass large data in a file"
        )
    if "\0" in word:
        raise InputError(f"{what} has a NUL character: take it out")
    return size + 1 + _POINTER


def _bounded(word: object, what: str) -> None:
    """Raise InputError for what is no text that the kernel takes; how long it may be is for its reader to say."""
    if not isinstance(word, str):
        raise InputError(f"{what} must be a text")
    if "\0" in word:
        raise InputError(f"{what} has a NUL character: take it out")
    if not word.isascii():
        _bytes(word, what)


def _bytes(word: str, what: str) -> bytes:
    """As the kernel gets it."""
    try:
        return word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InputError(f"{what} has half a character (a lone surrogate): take it out") from None


def packed_items(items: Sequence[str]) -> bytes:
    """The items as they are stored. Raises InputError for one that could not be a variable, and for too many bytes."""
    if not all(isinstance(item, str) for item in items):
        raise InputError("the items of an array must be texts")
    made = [_item(at, item) for at, item in enumerate(items)]
    longest = max(range(len(made)), key=lambda at: len(made[at]))
    if len(made[longest]) > MAX_STRING - _ITEM_NAME:
        raise InputError(
            f"item {longest} of the array has {format_size(len(made[longest]), up=True)}, the limit is"
            f" {format_size(MAX_STRING - _ITEM_NAME)}:"
            " pass large data in files, and their names as items"
        )
    if sum(map(len, made)) > MAX_ITEMS:
        raise InputError(
            f"the items of the array have {format_size(sum(map(len, made)), up=True)} together, the limit is"
            f" {format_size(MAX_ITEMS)}: pass the"
            " list in a file that each element reads by its index, or submit several arrays"
        )
    return pack_items(made)


def _item(at: int, item: str) -> bytes:
    """One item as the kernel gets it; the usual ones are not looked at for long, there may be a million of them."""
    if "\0" in item:
        raise InputError(f"item {at} of the array has a NUL character: take it out")
    return item.encode() if item.isascii() else _bytes(item, f"item {at} of the array")


def body_of(request: JobRequest) -> tuple[bytes, str]:
    """Return what the node will fetch (model.body), and its sha-256 in hex. Raises InputError for bad items."""
    extra = {name: request.options[name] for name in ("mail_type", "mail_user") if request.options.get(name)}
    body = json.dumps(
        {
            "script": request.script,
            "argv": request.argv,
            "env": request.env,
            "umask": request.umask,
            "interpreter": request.options.get("interpreter") or "",
            "get_user_env": bool(request.options.get("get_user_env")),
            "extra": extra,
        },
        separators=(",", ":"),
    ).encode("ascii")
    if request.items:
        body += b"\n" + packed_items(request.items)
    return body, hashlib.sha256(body).hexdigest()


def _typed(found: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = found.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"job field {name} must be of type {kind.__name__}")
    return value
