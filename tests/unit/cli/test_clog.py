"""clog: output once and followed, of what waits, runs, was cut, runs again, lies elsewhere or is not ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crane_celery import outputs
from crane_celery.errors import NotFound
from tests.support.terminal import PATIENCE_S, terminal
from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster

ROOT = Path(__file__).parents[3]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def here(cluster: Cluster, shell: Shell, tmp_path: Path) -> Iterator[Path]:
    """The folder of jobs, whose nodes are this host."""
    assert shell
    for spec in cluster.settings.nodes.values():
        cluster.epochs[spec.name] = cluster.store.register(spec, os.uname().nodename, "none", "1", "boot2").epoch
    return tmp_path


@pytest.fixture
def env(gateway: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRANE")}
    return {**kept, "PYTHONPATH": str(ROOT), "CRANE_SOCKET": gateway, "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def start(env: dict[str, str], here: Path) -> Iterator[Start]:
    """``clog`` as a process of its own, ended at the end."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "cli.clog", *words]
        running.append(subprocess.Popen(argv, env=env, cwd=here, stdout=-1, stderr=-1, text=True))
        return running[-1]

    yield run
    for each in running:
        each.kill()
        each.communicate(timeout=PATIENCE_S)


def test_output_of_jobs_that_run_and_ended(shell: Shell, cluster: Cluster, here: Path) -> None:
    shell("cbatch", "-e", "err-%j", "--wrap", "true")
    shell("cbatch", "--array=3-4", "-o", "%A-%a.txt", "--wrap", "true")
    cluster.begin(1)
    (here / "Crane-1.out").write_bytes(b"one\ntwo\nthree")
    (here / "err-1").write_text("oops\n")
    assert shell("clog", "1").out == shell("clog", "1.1").out == "one\ntwo\nthree"
    assert [shell("clog", "-n", str(n), "1").out for n in range(4)] == ["", "three", "two\nthree", "one\ntwo\nthree"]
    assert shell("clog", "--err", "1").out == "oops\n"
    cluster.end(1)
    assert shell("clog", "1").out == "one\ntwo\nthree"
    for rank, text in enumerate("ab"):
        cluster.run(2, rank)
        (here / f"2-{rank + 3}.txt").write_text(f"{text}\n")
    several = shell("clog", "2")
    assert several.out == (
        f"==> 2_3 Completed on cn1: {here}/2-3.txt <==\na\n\n==> 2_4 Completed on cn1: {here}/2-4.txt <==\nb\n"
    )
    assert shell("clog", "2_4,1", "-n1").out.count("==>") == 2
    assert shell("clog", "2_4").out == "b\n"


def test_what_cannot_be_shown_is_said(shell: Shell, cluster: Cluster, here: Path) -> None:
    for words in ((), (), ("-o", "/dev/null"), ("-o", "dir")):
        shell("cbatch", *words, "--wrap", "true")
    shell("cbatch", "--hold", "--wrap", "true")
    shell("ccancel", "5")
    (here / "dir").mkdir()
    for job in (2, 3, 4):
        cluster.begin(job)
    for id_, why in (
        (1, "job 1 has not started: Pending (Resource); -f waits for it"),
        (2, f"job 2: there is no file {here}/Crane-2.out any more, or not yet"),
        (3, "job 3 wrote to /dev/null, which is not a file"),
        (4, f"job 4 wrote to {here}/dir, which is not a file"),
        (5, "job 5 never ran"),
        (99, "99: Job not found"),
    ):
        said = shell("clog", str(id_))
        assert (said.code, said.out, said.err.count("\n")) == (4, "", 1) and why in said.err
    for words in (["-n", "x", "1"], ["-n", "-1", "1"], ["--json", "-f", "1"], ["x"], []):
        assert shell("clog", *words).code == 2


def test_what_lies_on_another_host(shell: Shell, cluster: Cluster, here: Path) -> None:
    shell("cbatch", "--wrap", "true")
    spec = cluster.settings.nodes["cn1"]
    cluster.epochs["cn1"] = cluster.store.register(spec, "far.example", "none", "1", "boot3").epoch
    cluster.begin(1)
    said = shell("clog", "1")
    assert (said.code, said.err) == (
        4,
        f"clog: the output of job 1 lies on another host: {here}/Crane-1.out on cn1 (host far.example)\n",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="root reads everything; needs root to be somebody else")
def test_files_are_opened_as_the_caller(shell: Shell, cluster: Cluster, here: Path, env: dict[str, str]) -> None:
    shell("cbatch", "--wrap", "true")
    cluster.run(1)
    (here / "Crane-1.out").write_text("secret\n")
    (here / "Crane-1.out").chmod(0o600)
    os.chmod(env["CRANE_SOCKET"].rpartition("/")[0], 0o755)
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = subprocess.run(
        [*somebody, sys.executable, "-m", "cli.clog", "1"],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "") and "Permission denied" in done.stderr


def test_json(shell: Shell, cluster: Cluster, here: Path) -> None:
    shell("cbatch", "--repeat", "2", "--wrap", "true")
    cluster.begin(1)
    (here / "Crane-1.out").write_bytes(b"caf\xe9\n")
    said = shell("clog", "--json", "1,2")
    one, two = json.loads(said.out)["output_info_list"]
    assert (said.code, one["text"], one["path"], one["status"]) == (4, "caf\udce9\n", f"{here}/Crane-1.out", "Running")
    assert "has not started" in two["reason"]


def test_it_follows_from_before_the_start_to_the_end(shell: Shell, cluster: Cluster, here: Path, start: Start) -> None:
    shell("cbatch", "-o", "new/folder/%j", "--wrap", "true")
    process = start("-f", "1")
    assert process.stdout
    id_ = cluster.begin(1)
    (here / "new").mkdir()
    (here / "new/folder").mkdir()
    file = here / "new/folder/1"
    with file.open("a") as out:
        for line in ("one\n", "two\n"):
            out.write(line)
            out.flush()
            assert process.stdout.readline() == line
        out.write("rest")
    cluster.end(id_)
    rest, err = process.communicate(timeout=PATIENCE_S)
    assert (rest, err, process.returncode) == ("rest", "", 0)


def test_a_file_that_is_cut_or_replaced(shell: Shell, cluster: Cluster, here: Path, start: Start) -> None:
    shell("cbatch", "--wrap", "true")
    id_ = cluster.begin(1)
    file = here / "Crane-1.out"
    file.write_text("first line\n")
    process = start("-f", "-n", "1", "1")
    assert process.stdout and process.stderr
    assert process.stdout.readline() == "first line\n"
    file.write_text("")
    assert "was cut" in process.stderr.readline()
    with file.open("a") as out:
        out.write("2\n")
    assert process.stdout.readline() == "2\n"
    (here / "other").write_text("third\n")
    (here / "other").rename(file)
    assert process.stdout.readline() == "third\n"
    cluster.end(id_)
    assert process.wait(PATIENCE_S) == 0


def test_several_are_followed_under_headers(shell: Shell, cluster: Cluster, here: Path, start: Start) -> None:
    shell("cbatch", "--array=0-1", "-o", "%a", "--wrap", "true")
    process = start("-f", "1")
    assert process.stdout
    for rank in (1, 0):
        cluster.begin(1, rank)
        (here / str(rank)).write_text(f"from {rank}\n")
        lines = [process.stdout.readline() for _ in range(2 if rank else 3)]
        assert lines[-2].startswith(f"==> 1_{rank} Running on cn1: ") and lines[-1] == f"from {rank}\n"
    for rank in (0, 1):
        cluster.end(1 + rank)
    assert process.wait(PATIENCE_S) == 0


def test_an_unknown_job_is_not_followed(start: Start) -> None:
    process = start("-f", "99")
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 4 and "99" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="somebody else's job is made by root")
def test_other_peoples_output_does_not_drive_a_terminal(
    shell: Shell, cluster: Cluster, here: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("cbatch", "--wrap", "true")
    cluster.run(1)
    (here / "Crane-1.out").write_bytes(b"a\tb \x1b]0;x\x07\n\xc3\xa9\n")
    (row,) = cluster.service.query.output(_selectors("1"))
    monkeypatch.setattr(type(cluster.service.query), "output", lambda *_: [{**row, "uid": 4711}])
    with terminal([sys.executable, "-c", _NO_TABS], env) as seen:
        assert seen.end() == 0
        assert r"b \x1b]0;x\x07" in seen.text and "é" in seen.text


_NO_TABS = "import sys, cli.clog; sys.argv[1:] = ['1']; sys.exit(cli.clog.main())"


def _selectors(text: str) -> Any:
    from crane_celery.grammar.selector import parse_selectors

    return parse_selectors(text)


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"a", b"a\n", b"a\nb", b"a\nb\n", b"\n\n\n", b"x" * 70000 + b"\n" + b"y" * 70000]
)
def test_the_last_lines(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "f").write_bytes(text)
    row = {"jobid": "1", "began_at": 1.0, "state": "Running", "stdout": str(tmp_path / "f"), "host": "", "node": ""}
    lines = text.splitlines(keepends=True)
    for number in range(5):
        assert outputs.read(row, lines=number) == b"".join(
            lines[len(lines) - number :] if number < len(lines) else lines
        )
    with pytest.raises(NotFound):
        outputs.read({**row, "began_at": 0.0, "reason": "None", "state": "Pending"})


def test_the_api_reads_the_same(shell: Shell, cluster: Cluster, here: Path, gateway: str) -> None:
    from crane_celery.api import Cluster as Api

    shell("cbatch", "--wrap", "true")
    cluster.run(1)
    (here / "Crane-1.out").write_text("one\ntwo\n")
    assert (Api(gateway).output(1), Api(gateway).output("1", lines=1)) == ("one\ntwo\n", "two\n")
