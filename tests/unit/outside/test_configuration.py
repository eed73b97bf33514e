"""Every key of the configuration takes an extreme value or refuses it with file and line."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.errors import ConfigError
from crane_celery.settings import keys, load
from crane_celery.settings.files import parse
from tests.unit.outside.extremes import ALL
from workers.shepherd.decode import MAX_SPAN_S

NODE = {"name": "n1", "cpu": "1", "memory": "1G"}
NODES = f"Nodes:\n  - {json.dumps(NODE)}\n"
#: groups of keys
GROUPS = {
    "Priority": keys._PRIORITY_KEYS, "Draining": keys._DRAINING_KEYS, "JobLifecycleHook": keys._HOOK_KEYS,
}  # fmt: skip
SPANS = ("NodeTimeout", "KillGrace", "Window", "InvalidDependGrace")


def _texts(value: str) -> Iterator[str]:
    """Configurations that have this value at one place each."""
    shown = json.dumps(value)
    for name in keys.KEYS.keys() - {"Nodes", "Partitions", *GROUPS}:
        yield f"{NODES}{name}: {shown}\n"
    for name in keys._NODE_KEYS:
        yield f"Nodes:\n  - {json.dumps({**NODE, name: value})}\n"
    for name in keys._PARTITION_KEYS:
        yield f"{NODES}Partitions:\n  - {json.dumps({'name': 'p', name: value})}\n"
    for group, known in GROUPS.items():
        yield from (f"{NODES}{group}: {{{name}: {shown}}}\n" for name in known)


@pytest.mark.parametrize("value", [*ALL, "n[1-99999999999999]", "99999999999G", "999999999999999999999T"])
def test_every_key(tmp_path: Path, value: str) -> None:
    for text in _texts(value):
        try:
            made = parse(text, "/c.yaml", {"CRANE_HOME": str(tmp_path)})
        except ConfigError as error:
            assert "/c.yaml:" in error.message
            continue
        spans = (made.kill_grace_s, made.window_s, made.hooks.prolog_timeout_s, made.priority.half_life_s)
        assert all(0 <= each <= MAX_SPAN_S for each in (made.node_timeout_s, made.invalid_depend_grace_s, *spans))


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("value", ["999999999999999w", "1000000001", "-1", "nan", "1e3", "0.5", "9" * 5000])
def test_a_span_that_no_timer_takes_is_refused(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "c.yaml").write_text(f"{NODES}{name}: {value}\n")
    with pytest.raises(ConfigError, match=f"c.yaml:3: {name}: "):
        load(str(tmp_path / "c.yaml"), {})


@pytest.mark.parametrize(("line", "said"), [("NodeTimeout: 0", "from 1 to"), ("NodeTimeout: 0s", "from 1 to")])
def test_a_node_has_a_moment_to_answer(line: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"{NODES}{line}\n", "/c.yaml", {})


def test_a_node_has_memory() -> None:
    with pytest.raises(ConfigError, match="'0' is no memory to run jobs in"):
        parse("Nodes: [{name: n1, cpu: 1, memory: 0}]", "/c.yaml", {})
