"""The Lua scripts: one file per verb under ``lua/``, shared parts under ``lua/lib/``, put together once per process.

A verb's header names the parts that it uses (``-- lib: ranges events``). Nothing but these files, the layout of the
keys and the tables of states goes into a source: all input reaches a script as KEYS and ARGV.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from crane_celery.store import keys, lua_tables

_FOLDER = Path(__file__).with_name("lua")


class Script(NamedTuple):
    """A verb's source and the name under which the server caches it."""

    source: str
    sha: str


@cache
def script(verb: str) -> Script:
    """The script of one verb. FileNotFoundError when there is none."""
    body = (_FOLDER / f"{verb}.lua").read_text("ascii")
    found = re.search(r"^-- lib:(.*)$", body, re.MULTILINE)
    parts = [part(name) for name in ["clock", *(found.group(1).split() if found else ())]]
    rest = "\n".join([*parts[1:], body])
    source = _bare("\n".join([parts[0], keys.lua(rest), lua_tables.tables(rest), rest]))
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@cache
def part(name: str) -> str:
    """One shared part, as it is written."""
    return (_FOLDER / "lib" / f"{name}.lua").read_text("ascii")


def _bare(source: str) -> str:
    """Without comment lines: the server keeps and hashes what is left. Lines are kept, for error messages."""
    return re.sub(r"^\s*--.*$", "", source, flags=re.MULTILINE)
