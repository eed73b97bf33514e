"""Foreign text in human output: whatever field it stands in, nothing of it reaches a terminal raw, and JSON keeps it.

Every text of every answer of the gateway is foreign here, but for a closed list of words that commands look up: a field
that is new is covered without a change of this file.
"""

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import Refused
from crane_celery.gateway import client
from tests.unit.cli.support import Said, Shell
from tests.unit.service.support import Cluster

ROOT = Path(__file__).parents[3]
#: a forged line, C0, C1, DEL, direction marks, separators, nothing to see, not UTF-8, a wide letter, an escape as typed
EVIL = (
    "a\nJobState=Forged \x1b]0;t\x07\x1b[2J\x7f\x9b\r\t\u202e\u2066\u2028\u2029\u200b\ufeff\udce9\ud83d\u3164日\\x41\0"
)
#: what a shell can pass on: no NUL, and no half of a surrogate pair
TYPED = EVIL.replace("\0", "").replace("\ud83d", "")
#: keys whose values are words of ours, ids, sets of indexes or grammar that was checked: commands look them up
OURS = {
    *("state", "kind", "type", "jobid", "stepid", "id", "array", "indexes", "ranks", "requeue", "depends", "status"),
    *("shown", "array_spec", "reason", "counts", "pending", "open_mode", "exit_text"),
}
LISTS = [
    ["cqueue"],
    ["cqueue", "-F"],
    ["cqueue", "-r", "-S"],
    ["cqueue", "--tree"],
    ["cqueue", "-s"],
    ["cqueue", "-s", "-F"],
    ["cinfo"],
    ["cinfo", "--list-reasons"],
    ["ccontrol", "show", "job"],
    ["ccontrol", "show", "step"],
    ["ccontrol", "show", "node"],
    ["ccontrol", "show", "partition"],
    ["ccontrol", "show", "config"],
    ["ccontrol", "show", "lic"],
    ["ccontrol", "show", "dependents", "1"],
    ["ccontrol", "explain", "1"],
    ["ccontrol", "story", "1"],
    ["cacct"],
    ["cacct", "-F"],
    ["cacct", "--array-summary"],
    ["ceff", "1"],
]
ACTS = [
    ["ccontrol", "hold", "1"],
    ["ccontrol", "requeue", "1"],
    ["ccontrol", "update", "jobid=1", "comment=x"],
    ["ccontrol", "update", "nodename=cn1", "state=drain", "reason=x"],
    ["ccancel", "1"],
    ["cbatch", "--wrap", "true"],
    ["cbatch", "--test-only", "--wrap", "true"],
]


def evil(value: Any, key: str = "") -> Any:
    """An answer with every text replaced but for OURS."""
    if isinstance(value, str):
        return value if key in OURS else EVIL
    if isinstance(value, dict):
        if set(value) == {"count", "same", "each"}:  # a table by columns
            return {name: evil(part) if name != "count" else part for name, part in value.items()}
        return {name: evil(each, name) for name, each in value.items()}
    return [evil(each, key) for each in value] if isinstance(value, list) else value


def raw(text: str) -> list[str]:
    """Return what of a text a terminal would obey or hide, lines and our own indentation apart."""
    forbidden = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")
    found = [char for char in text if unicodedata.category(char) in forbidden and char not in "\n\t"]
    return found + [char for char in text if char == "\u3164"]


@pytest.fixture
def full(shell: Shell, cluster: Cluster) -> Shell:
    """Jobs with every option, one that runs, one that failed, one that waits; a drained node; a step."""
    options = ["-A", "acc", "-q", "normal", "-J", "name", "--comment", "c", "--wckey", "w", "-w", "cn1", "-x", "cn2"]
    mail = ["--mail-type=END", "--mail-user=me", "-o", "out-%j", "-e", "err-%j", "-i", "/dev/null", "-D", "/tmp"]
    for words in ([*options, *mail], ["-C", "", "-d", "afterok:1"], ["--array=0-3"], []):
        shell("cbatch", *[word for word in words if word not in ("-C", "")], "--wrap", "true")
    cluster.begin(1)
    cluster.run(7, code=1)
    shell("ccontrol", "update", "nodename=cn3", "state=drain", "reason=disks")
    return shell


@pytest.fixture
def foreign(full: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The same, with foreign answers."""
    asked: Callable[..., Any] = client.call

    def call(verb: str, args: dict[str, Any], path: str | None = None) -> Any:
        answer = asked(verb, args, path)
        if verb in ("hold", "requeue", "update", "update_node"):
            answer = {"done": ["x"], "failed": [["x", "why"]]}
        if verb == "cancel":
            answer = {"cancelled": ["1"], "failed": [["x", "why"], ["x", "why"]], "never": 0}
        if verb == "submit":
            answer = {**answer, "notices": ["x"]}
        if verb == "testonly":
            answer = {**answer, "notices": ["x"], "reason": "x"}
        return evil(answer)

    monkeypatch.setattr(client, "call", call)
    return full


def all_columns(command: str) -> list[str]:
    """``-o`` with everything that a listing knows."""
    from cli import cinfo
    from cli.output import accounting_columns, queue_columns

    known = {"cqueue": queue_columns.jobs, "cinfo": cinfo.columns, "cacct": accounting_columns.columns}[command]()
    return [command, "-o", "|".join(f"%{name}" for name in known)]


@pytest.mark.parametrize("words", [*LISTS, *ACTS], ids=" ".join)
def test_nothing_raw_reaches_a_terminal(foreign: Shell, words: list[str]) -> None:
    said = foreign(*words)
    assert said.code in (0, 4), said.err
    assert raw(said.out + said.err) == []
    assert "\nJobState=Forged" not in said.out


@pytest.mark.parametrize("command", ["cqueue", "cinfo", "cacct"])
def test_no_column_lets_anything_through(foreign: Shell, command: str) -> None:
    said = foreign(*all_columns(command))
    lines = foreign(command, "--noheader", "-o", "%" + ("p" if command == "cinfo" else "j")).out.count("\n")
    assert (said.code, raw(said.out), said.out.count("\n")) == (0, [], lines + 1)
    assert r"a\x0aJobState=Forged" in said.out


@pytest.mark.parametrize("words", [each for each in LISTS if each[0] != "ceff"], ids=" ".join)
def test_json_keeps_it(foreign: Shell, words: list[str]) -> None:
    said = foreign(*words, "--json")
    assert said.out.isascii() and raw(said.out) == [] and said.out.count("\n") == 1
    json.loads(said.out)
    if "partition" not in words and "dependents" not in words and "lic" not in words and "step" not in words:
        assert _holds(json.loads(said.out), EVIL) or "-s" in words


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(each, text) for each in [*value.values(), *value.keys()])
    return any(_holds(each, text) for each in value) if isinstance(value, list) else value == text


def test_columns_stay_aligned(foreign: Shell) -> None:
    lines = foreign("cqueue", "-o", "%12n|%.12k|").out.splitlines()
    lines += [line.rstrip() + "|" for line in foreign("cqueue", "-N", "-o", "%12n|%.12k").out.splitlines()]
    from crane_celery.grammar.printable import width

    assert len({width(line) for line in lines}) == 1


def test_what_is_refused_quotes_safely(full: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise Refused(f"no {EVIL} here")

    monkeypatch.setattr(client, "call", refuse)
    for words in (["cqueue"], ["ccontrol", "show", "job", "1"], ["cbatch", "--wrap", "true"], ["ccancel", "1"]):
        said = full(*words)
        assert (said.code, raw(said.err), said.err.count("\n")) == (4, [], 1)


@pytest.mark.parametrize(
    "words",
    [
        ["cqueue", TYPED],
        ["cqueue", "-t", TYPED],
        ["cqueue", "-j", TYPED],
        ["cqueue", "-o", f"%{TYPED}"],
        ["cbatch", f"--{TYPED}"],
        ["cbatch", TYPED],
        ["cbatch", "-J", TYPED, "--wrap", "true"],
        ["cbatch", "-D", TYPED, "-t", TYPED, "--wrap", "true"],
        ["ccontrol", TYPED],
        ["ccontrol", "show", TYPED],
        ["ccontrol", "show", "node", TYPED],
        ["ccontrol", "update", f"jobid=1 {TYPED}"],
        ["ccancel", TYPED],
        ["ccancel", "-u", TYPED],
        ["cwait", TYPED],
        ["ceff", TYPED],
        ["cinfo", "-t", TYPED],
        ["cinfo", "-n", TYPED],
        ["cacct", "-S", TYPED],
        ["crane", TYPED],
    ],
    ids=lambda words: f"{words[0]}-{len(words)}",
)
def test_what_was_typed_is_quoted_safely(full: Shell, words: list[str]) -> None:
    said = full(*words)
    assert raw(said.out + said.err) == [] and said.err.count("\n") <= 2


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"LC_ALL": "C"}, ""),
        ({"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, r"caf\xe9 \udce9 \u65e5"),
        ({"PYTHONIOENCODING": "latin-1"}, "caf\udce9 \\udce9 \\u65e5"),
        ({"PYTHONIOENCODING": "cp1252:strict"}, "caf\udce9 \\udce9 \\u65e5"),
        ({"PYTHONIOENCODING": "ascii:strict"}, r"caf\xe9 \udce9 \u65e5"),
        ({"PYTHONIOENCODING": "utf-8:surrogateescape"}, r"café \udce9 日"),
    ],
)  # fmt: skip
def test_any_encoding(full: Shell, gateway: str, env: dict[str, str], text: str) -> None:
    full("cbatch", "--comment", "café \udce9 日", "--wrap", "true")
    done = _run(gateway, env, "cqueue", "-N", "-t", "pending", "-o", "%k %.3j")
    out = os.fsdecode(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert text in out
    if "\udce9" not in out:
        from crane_celery.grammar.printable import width

        assert len({width(line) for line in out.splitlines()}) == 1


def test_a_text_of_the_caller_in_any_encoding(gateway: str) -> None:
    done = _run(gateway, {"PYTHONIOENCODING": "ascii:strict"}, "cqueue", "-t", "日\udce9")
    assert done.returncode == 2 and b"Traceback" not in done.stderr and b"\\u65e5" in done.stderr


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("into", ["/dev/full", "closed", "pipe", "stderr"])
@pytest.mark.parametrize(
    "words", [["cqueue"], ["cqueue", "--help"], ["ccontrol", "show", "job"], ["cqueue", "-t", "zz"]]
)
def test_output_that_nobody_takes(gateway: str, words: list[str], into: str) -> None:
    """No traceback, and what went wrong is said where that can be."""
    command = " ".join([sys.executable, "-m", f"cli.{words[0]}", *words[1:]])
    redirect = {"/dev/full": "> /dev/full", "closed": ">&-", "pipe": "| true", "stderr": "2>&-"}[into]
    script = f"set -o pipefail; {command} {redirect}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=_environ(gateway, {}), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr, done.stderr
    wrong = words[1:] == ["-t", "zz"]
    assert done.returncode == (2 if wrong else 6 if into == "/dev/full" else 0), done.stderr
    if into == "/dev/full" and not wrong:
        assert done.stderr == f"{words[0]}: error: No space left on device\n"


def _environ(gateway: str, env: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return {**kept, "PYTHONPATH": str(ROOT), "CRANE_SOCKET": gateway, **env}


def _run(gateway: str, env: dict[str, str], command: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", f"cli.{command}", *words]
    return subprocess.run(argv, env=_environ(gateway, env), capture_output=True, check=False)


def test_a_question_is_safe_too(full: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    said: Said = full("ccancel", "-i", "-u", EVIL)
    assert raw(said.err) == []
