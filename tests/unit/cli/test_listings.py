"""Test what several commands print: nodes, records, explanations of columns, help, versions."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.common.iterate import repeated
from crane_celery.errors import InputError
from crane_celery.model.node import NodeState
from tests.unit.cli.support import Shell, golden
from tests.unit.service.support import Cluster


def test_nodes(busy: Shell, cluster: Cluster) -> None:
    golden("cinfo.txt", busy("cinfo").out)
    assert busy("cinfo", "-t", "mix", "-p", "main", "--noheader").out.split() == ["main*", "up", "1", "mix", "cn1"]
    assert busy("cinfo", "-t", "down", "-p", "small", "--noheader").out.split() == ["small", "up", "0", "n/a"]
    assert busy("cinfo", "-t", "idel").code == 2
    cluster.store.set_node("cn2", NodeState.DRAIN, "new disks")
    cluster.store.lose(cluster.fence, "cn3", "not heard of")
    golden("cinfo-reasons.txt", busy("cinfo", "-R").out)
    golden("cinfo-drained.txt", busy("cinfo").out)
    assert busy("cinfo", "-t", "idle(drain)", "-p", "main", "--noheader").out.split()[3:] == ["idle(drain)", "cn2"]
    assert busy("cinfo", "-t", "DRAINED,mixed", "-p", "main", "--noheader", "-o", "%l").out.split() == ["cn2", "cn1"]
    assert json.loads(busy("cinfo", "--json").out)["ok"] is True


def test_a_line_for_each_node(busy: Shell, cluster: Cluster) -> None:
    cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 60, 1.25)
    cluster.store.set_node("cn2", NodeState.DRAIN, "new disks")
    cluster.store.lose(cluster.fence, "cn3", "not heard of")
    golden("cinfo-nodes.txt", busy("cinfo", "-N").out)
    assert busy("cinfo", "-N", "-t", "drain", "--noheader", "-o", "%node %reason").out == "cn2 new disks\n"
    assert busy("cinfo", "-N", "-p", "small", "-o", "%l %p").out.splitlines()[1:] == ["cn4  main*,small"]
    assert busy("cinfo", "-N", "-n", "cn[1-2]", "--noheader", "-o", "%load").out.split() == ["1.25", "-"]
    [row, *_] = json.loads(busy("cinfo", "-N", "--json").out)["node_info_list"]
    assert (row["name"], row["load"], row["free_cpus"]) == ("cn1", 1.25, row["cpus"] - 1)


@pytest.mark.parametrize("command", ["cqueue", "cacct", "cinfo"])
def test_each_column_is_explained(busy: Shell, command: str) -> None:
    from importlib import import_module

    from cli.common.help_format import MEANINGS

    said = busy(command, "--helpformat")
    assert said.code == 0 and "%.5j" in said.out
    formats = import_module(f"cli.{command}").formats()
    headers = {column.header for each in formats.values() for column in each.columns.values()}
    assert headers <= MEANINGS.keys()
    for each in formats.values():
        for name in each.columns:
            assert f"%{name if len(name) == 1 else name.lower()}" in said.out.split(), name
    page = (Path(__file__).parents[3] / f"docs/commands/{command}.md").read_text()
    assert "| letter | name | meaning |" in page and all(f"{header}: " in page for header in headers)


def test_records(busy: Shell) -> None:
    golden("show-job-array.txt", busy("ccontrol", "show", "job", "1").out)
    golden("show-job-dependency.txt", busy("ccontrol", "show", "job", "8").out)
    golden("show-step.txt", busy("ccontrol", "show", "step", "1_1").out)
    golden("show-node.txt", busy("ccontrol", "show", "node", "cn1").out)
    golden("show-partition.txt", busy("ccontrol", "show", "partition", "small").out)
    assert "max_array_size = 1000000" in busy("ccontrol", "show", "config").out
    assert "ArrayJobId=1 ArrayTaskId=3" in busy("ccontrol", "show", "job", "1_3").out


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("show", "job", "99"), 4, "Job 99 is not running"),
        (("show", "step", "99.2"), 4, "Step 99.2 is not running"),
        (("show", "node", "cn9"), 4, "no node 'cn9'; did you mean"),
        (("show", "node", "zz"), 4, "no node 'zz': there are cn1, cn2, cn3, cn4"),
        (("show", "partition", "zz"), 4, "no partition 'zz': there are main, small"),
        (("show", "lic", "zz"), 4, "no licence 'zz': there are none"),
        (("show", "jbo"), 2, "did you mean 'job'"),
        (("show",), 2, "show what?"),
        (("show", "reservation"), 1, "not supported yet"),
        (("shwo", "job"), 2, "did you mean 'show'"),
        (("hold",), 2, "which jobs"),
        (("show", "job", "x"), 2, "bad id"),
    ],
)
def test_control_refuses(shell: Shell, argv: tuple[str, ...], code: int, text: str) -> None:
    said = shell("ccontrol", *argv)
    assert said.code == code and text in said.err


def test_hold_and_release(busy: Shell) -> None:
    assert busy("ccontrol", "hold", "1_[2-3]").out == "Jobs 1_[2-3] modified successfully.\n"
    assert busy("cqueue", "-j", "1", "-t", "p", "-N", "-o", "%j %R").out.splitlines()[1] == "1_[2-3%2]   Held"
    assert busy("ccontrol", "release", "1").code == 0
    refused = busy("ccontrol", "release", "1_1,99")
    assert refused.code == 4 and "Failed to modify job: 99. Reason: Job not found." in refused.err


def test_a_question_ends_as_one(busy: Shell) -> None:
    assert busy("ccontrol", "update", "jobid=7", "timelmit=3").err.endswith("did you mean 'timelimit'?\n")


@pytest.mark.parametrize("command", ["calloc", "ccon"])
def test_what_is_not_there_yet(shell: Shell, command: str) -> None:
    assert shell(command).code == 1 and "not supported yet" in shell(command, "run", "x").err
    assert shell(command, "--help").code == 0


COMMANDS = ["cbatch", "cqueue", "ccancel", "cinfo", "ccontrol", "cacct", "cwait", "ceff", "calloc", "ccon"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_version(shell: Shell, command: str) -> None:
    assert shell(command, "--help").out.startswith("usage: ")
    assert shell(command, "--version").out.startswith("crane-celery")


@pytest.mark.parametrize("command", ["cbatch", "cqueue", "ccancel", "cinfo", "ccontrol"])
def test_commands_stay_light(gateway: str, command: str) -> None:
    """No heavy module is loaded by a command, even one that talks to the gateway."""
    argv = {"cbatch": ["--wrap", "true"], "ccancel": ["-n", "x"], "ccontrol": ["show", "node"]}.get(command, [])
    heavy = (
        "redis",
        "celery",
        "click",
        "tabulate",
        "dateutil",
        "yaml",
        "sqlalchemy",
        "dataclasses",
        "typing",
        "asyncio",
    )
    code = (
        f"import sys; from cli.{command} import main; main({argv!r}); print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {os.getcwd()!r}); {code}"],
        env={**os.environ, "CRANE_SOCKET": gateway},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_moments_in_json() -> None:
    from cli.output.json_records import rfc3339

    shown = [rfc3339(at) for at in (0.0, 1_000_000_000.0, 1_000_000_000.25, 1_000_000_000.123456)]
    assert shown == [None, *(f"2001-09-09T01:46:40{part}Z" for part in ("", ".250", ".123456"))]


def test_a_listing_is_shown_again_until_it_is_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    rounds = iter([0, 0])
    assert repeated(None, lambda: 7) == 7
    with pytest.raises(InputError):
        repeated(0, lambda: 0)
    with pytest.raises(StopIteration):
        repeated(1, lambda: next(rounds))
    assert len(capsys.readouterr().out.splitlines()) == 3
