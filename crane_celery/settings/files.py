"""From a configuration file to ``Settings``: which file, and what follows from where it is."""

import os
from collections.abc import Mapping
from typing import Any

from crane_celery.errors import ConfigError
from crane_celery.grammar.names import did_you_mean
from crane_celery.model.node import Partition
from crane_celery.settings.keys import KEYS, resolve
from crane_celery.settings.model import Settings
from crane_celery.settings.place import SYSTEM_HOME, SYSTEM_RUN, home_of, run_dir_of
from crane_celery.settings.reader import Value, read

SYSTEM_CONFIG = "/etc/crane/config.yaml"


def config_path(environ: Mapping[str, str] = os.environ) -> str:
    """The configuration file: ``$CRANE_CONFIG``, ``$CRANE_HOME/config.yaml``, the default home's, ``/etc/crane``'s.

    Raises ConfigError when there is none.
    """
    if environ.get("CRANE_CONFIG"):
        return os.path.abspath(environ["CRANE_CONFIG"])
    choices = [os.path.join(home_of(environ), "config.yaml")]
    if not environ.get("CRANE_HOME"):
        choices.append(SYSTEM_CONFIG)
    found = next((path for path in choices if os.path.exists(path)), None)
    if found is None:
        raise ConfigError(f"no configuration in {' or '.join(choices)}: 'crane up' makes one, CRANE_CONFIG names one")
    return found


def load(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file (``path``, else where ``config_path`` finds one). Raises ConfigError."""
    path = os.path.abspath(path) if path else config_path(environ)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"cannot read configuration {path}: {why}") from error
    return parse(text, path, environ)


def parse(text: str, path: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a configuration's text; ``path`` stands in messages and decides the default home."""
    document = read(text, path)
    found = document.mapping(KEYS) if document else {}
    values = {KEYS[name].field: KEYS[name].reader(value) for name, value in found.items()}
    sources = {name: found[name].where if name in found else "default" for name in KEYS}
    home = values.setdefault("home", _home(path, environ))
    run_dir = values.setdefault("run_dir", SYSTEM_RUN if home == SYSTEM_HOME else run_dir_of(home))
    values["embedded"] = "server_url" not in values
    values.setdefault("server_url", f"unix://{run_dir}/server/server.sock")
    values.setdefault("history_url", f"sqlite:///{home}/history.db")
    values.setdefault("cluster", "crane")
    values.setdefault("allow_root", False)
    nodes = values.setdefault("nodes", {})
    raw = values.get("partitions")
    values["partitions"] = {"main": Partition(name="main", nodes=tuple(nodes))} if raw is None else resolve(raw, nodes)
    values["default_partition"] = _default_partition(values, found.get("DefaultPartition"))
    uid = os.geteuid()
    return Settings(**values, path=path, single_user_uid=uid or None, environ=sources)


def _home(path: str, environ: Mapping[str, str]) -> str:
    """The home where the file names none: the environment's; the file's own folder; the system's for /etc/crane."""
    if environ.get("CRANE_HOME"):
        return home_of(environ)
    if path == SYSTEM_CONFIG:
        return SYSTEM_HOME
    return os.path.dirname(path)


def _default_partition(values: dict[str, Any], value: Value | None) -> str:
    name = values.get("default_partition")
    if value is not None and name not in values["partitions"]:
        value.fail(f"no partition {name!r}{did_you_mean(str(name), values['partitions'])}")
    return str(name or next(iter(values["partitions"])))
