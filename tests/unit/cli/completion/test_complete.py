"""Completion: what may follow, and that real shells put it in."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli.admin.completion import completed
from cli.completion.complete import main, plain, script, split
from tests.unit.cli.support import Shell

BIN = Path(sys.executable).parent
PATIENCE_S = 30.0


def offered(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """Return what is offered behind these words, without what it means."""
    capsys.readouterr()
    assert main(["words", *words]) == 0
    return [line.partition("\t")[0] for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def jobs(shell: Shell) -> Shell:
    """Job 1, and array 2 of three elements, wait."""
    shell("cbatch", "--hold", "-J", "one", "--wrap", "true")
    shell("cbatch", "--hold", "--array=0-2", "--wrap", "true")
    return shell


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("cqueue --sta", ["--state", "--start"]),
        ("cqueue --state=runn", ["--state=running"]),
        ("cqueue -t running,susp", ["running,suspended"]),
        ("cqueue -p ", ["main", "small"]),
        ("cqueue -w cn1,cn", ["cn1,cn2", "cn1,cn3", "cn1,cn4"]),
        ("cqueue -j ", ["1", "2"]),
        ("cqueue -j 1,", ["1,2"]),
        ("cacct --job=", ["--job=1", "--job=2"]),
        ("ccancel ", ["1", "2"]),
        ("ccancel -s US", ["USR1", "USR2"]),
        ("cwait 1 ", ["1", "2"]),
        ("ceff ", ["1", "2"]),
        ("cinfo -t id", ["idle"]),
        ("cbatch -d afterok:", ["afterok:1", "afterok:2"]),
        ("cbatch -d afterany:1,afternot", ["afterany:1,afternotok:"]),
        ("cbatch -d single", ["singleton"]),
        ("cbatch --kill-on-invalid-dep n", ["no"]),
        ("cbatch --exclusive --export=N", ["--export=NONE", "--export=NIL"]),
        ("ccontrol re", ["release", "resume", "requeue", "requeuehold"]),
        ("ccontrol show no", ["node"]),
        ("ccontrol show node cn", ["cn1", "cn2", "cn3", "cn4"]),
        ("ccontrol show job ", ["1", "2"]),
        ("ccontrol hold 1 ti", ["timelimit="]),
        ("ccontrol update ", ["jobid=", "nodename="]),
        ("ccontrol update jobid=", ["jobid=1", "jobid=2"]),
        ("ccontrol update jobid=1 timel", ["timelimit="]),
        ("ccontrol update jobid=1 partition=m", ["partition=main"]),
        ("ccontrol update jobid=1 requeue=n", ["requeue=no"]),
        ("ccontrol update nodename=n1 ", ["state=", "reason="]),
        ("ccontrol update nodename=n1 state=dr", ["state=drain"]),
        ("ccontrol help top", ["top"]),
        ("ccontrol --json requeue inc", ["incomplete"]),
        ("crane sta", ["status"]),
        ("crane up --cgroup ", ["auto", "v2", "v1", "none"]),
        ("crane completion f", ["fish"]),
        ("/any/where/cqueue --par", ["--partition"]),
    ],
)
def test_what_may_follow(jobs: Shell, capsys: pytest.CaptureFixture[str], line: str, wanted: list[str]) -> None:
    assert jobs
    assert offered(capsys, *line.split(" ")) == ["words", *wanted]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("cbatch ", "files"),
        ("cbatch -o ", "files"),
        ("cbatch -D ", "folders"),
        ("cbatch script.sh --par", "files"),
        ("crun ", "programs"),
        ("crun -n 2 ./work --out", "files"),
        ("cacct -u ", "users"),
        ("crane simulate ", "files"),
    ],
)
def test_what_a_shell_lists_itself(gateway: str, capsys: pytest.CaptureFixture[str], line: str, kind: str) -> None:
    assert gateway
    assert offered(capsys, *line.split(" ")) == [kind]


@pytest.mark.parametrize(
    "line", ["cqueue -J x", "nonsense ", "calloc --", "crane nonsense --", "cqueue --nonsense ", "cqueue"]
)
def test_where_nothing_is_known_nothing_is_said(capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert offered(capsys, *line.split(" ")) in ([], ["words"])
    assert capsys.readouterr().err == ""


def test_each_comes_with_what_it_means(jobs: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs
    capsys.readouterr()
    main(["words", "cqueue", "-j", ""])
    assert capsys.readouterr().out == "words\n1\tone Pending\n2\tWrap Pending\n"


def test_names_of_jobs_move_no_cursor() -> None:
    assert plain("a\x1b[31m\n\u202eb") == "a?[31m??b"


def test_nothing_is_said_and_nothing_waits_where_no_cluster_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRANE_SOCKET", "/nonexistent")
    monkeypatch.setenv("CRANE_CONNECT_TIMEOUT", "3600")
    assert offered(capsys, "cqueue", "-j", "") == [] and capsys.readouterr().err == ""
    assert offered(capsys, "cqueue", "--sel") == ["words", "--self"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cqueue", ["cqueue"]),
        ("cqueue ", ["cqueue", ""]),
        ("cqueue  -t 'a b' c\\ d", ["cqueue", "-t", "a b", "c d"]),
        ('cqueue "open ', ["cqueue", "open "]),
        ("cqueue '' ", ["cqueue", "", ""]),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_the_command_prints_them(shell: Shell) -> None:
    for name in ("bash", "fish", "zsh"):
        assert shell("crane", "completion", name).out == script(name, completed())
    assert shell("crane", "completion", "tcsh").code == 2


# -- real shells


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "$ "}


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("cqueue --par", ["--partition"]),
        ("cqueue --state=runn", ["running"]),  # bash keeps what stands before =
        ("cqueue -j ", ["1", "2"]),
        ("ccontrol update jobid=1 timel", ["timelimit="]),
        ("cbatch -d afterok:", ["1", "2"]),
        ("cbatch -o read", ["readable.txt"]),
        ("cbatch --output=read", ["readable.txt"]),
        (f"{BIN}/cqueue --par", ["--partition"]),
    ],
)
def test_bash_puts_in(jobs: Shell, tmp_path: Path, line: str, replies: Sequence[str]) -> None:
    assert jobs
    (tmp_path / "readable.txt").touch()
    words = [word for word in re.split(r"([=: ])", line) if word not in (" ", "")] + (
        [""] if line.endswith(" ") else []
    )
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"{script('bash', ['cqueue'])}\ncompopt() {{ :; }}\n"
        f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n"
        f"_crane_celery '{words[0]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(
        ["bash", "-c", program], env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout.split(), done.stderr) == (list(replies), "")


def typed(argv: Sequence[str], setup: str, keys: str, wanted: str) -> str:
    """Type at a shell on a terminal until it shows ``wanted``; what it has shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], list(argv), environment())
    shown, until = "", time.monotonic() + PATIENCE_S
    try:
        os.write(terminal, f"{setup}; echo rea''dy\n".encode())
        for text, answer in (("", "ready"), (keys, wanted)):
            os.write(terminal, text.encode())
            shown = ""
            while answer not in shown and time.monotonic() < until:
                if select.select([terminal], [], [], until - time.monotonic())[0]:
                    more = os.read(terminal, 4096).decode(errors="replace")
                    shown += more
                    if "\x07" in more:  # nothing was found in time: a person presses Tab again
                        os.write(terminal, b"\t")
        return shown
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


TYPED = [("cqueue --par\t", "tition "), ("cinfo -p s\t", "mall "), ("ccontrol update jobid=1 timel\t", "imit=")]


@pytest.mark.parametrize(("keys", "wanted"), TYPED)
def test_bash_on_a_terminal(jobs: Shell, tmp_path: Path, keys: str, wanted: str) -> None:
    assert jobs
    (tmp_path / "ours").write_text(script("bash", completed()))
    setup = f"bind 'set enable-bracketed-paste off'; source {tmp_path / 'ours'}"
    assert wanted in typed(["bash", "--norc", "-i"], setup, keys, wanted)


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here: apt-get install zsh")
@pytest.mark.parametrize("how", ["in fpath", "sourced"])
@pytest.mark.parametrize(("keys", "wanted"), [*TYPED, ("cinfo --partition=s\t", "mall")])
def test_zsh_on_a_terminal(jobs: Shell, tmp_path: Path, keys: str, wanted: str, how: str) -> None:
    assert jobs
    (tmp_path / "_crane_celery").write_text(script("zsh", completed()))
    init = f"autoload -Uz compinit; compinit -u -d {tmp_path}/dump"
    setup = f"fpath=({tmp_path} $fpath); {init}" if how == "in fpath" else f"{init}; source {tmp_path}/_crane_celery"
    assert wanted in typed(["zsh", "-f", "-i"], setup, keys, wanted)


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here: apt-get install fish")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("cqueue --par", "--partition\tonly these partitions\n"),
        ("cqueue -j ", "1\tone Pending\n2\tWrap Pending\n"),
        ("cqueue --state=runn", "--state=running\n"),
        ("cbatch -o read", "readable.txt\n"),
        ("cbatch --output=read", "--output=readable.txt\n"),
        ("cqueue -J ", ""),
    ],
)
def test_fish_offers(jobs: Shell, tmp_path: Path, line: str, wanted: str) -> None:
    assert jobs
    (tmp_path / "readable.txt").touch()
    (tmp_path / "ours.fish").write_text(script("fish", completed()))
    program = f"source ours.fish; complete -C '{line}'"
    env = {**environment(), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["fish", "--no-config", "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == wanted
