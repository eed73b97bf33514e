"""``crane config``: the configuration in effect, one ``key = value`` a line, with where each comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from cli.common.main import say
from cli.common.options import Parser
from cli.output.render import print_json
from crane_celery.settings import load
from crane_celery.settings.keys import KEYS

_PASSWORD = re.compile(r"(://[^:@/]*:)[^@]*@")


def config(argv: list[str]) -> int:
    """Print it. Raises ConfigError."""
    parser = Parser("crane config", "The configuration in effect, and the file and line each value comes from.")
    parser.add_argument("--home", metavar="DIR", help="where the cluster lives ($CRANE_HOME)")
    parser.add_argument("--file", metavar="FILE", help="check and show this file instead")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of lines")
    asked = parser.parse(argv)
    if asked.home:
        os.environ["CRANE_HOME"] = os.path.abspath(asked.home)
    settings = load(asked.file)
    values = [(name, getattr(settings, key.field), settings.environ[name]) for name, key in KEYS.items()]
    flat = [(name, text, where) for key, value, where in values for name, text in flatten(key, value)]
    if asked.json:
        print_json({name: {"value": text, "from": where} for name, text, where in flat})
        return 0
    say(f"# {settings.path}")
    for name, text, where in flat:
        say(f"{name} = {text}  # {where}")
    return 0


def flatten(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """A value as ``a.b = text`` pairs; passwords in URLs are hidden."""
    if is_dataclass(value):
        for each in fields(value):
            yield from flatten(f"{key}.{each.name}", getattr(value, each.name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from flatten(f"{key}.{name}", inner)
    else:
        yield key, _PASSWORD.sub(r"\1***@", _text(value))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
