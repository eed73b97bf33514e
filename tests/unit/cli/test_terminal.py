"""Commands on a terminal: listings that are watched, waits that say how things stand, and nothing of it on pipes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from crane_celery.grammar.printable import width
from tests.support.terminal import Terminal, terminal
from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster

ROOT = Path(__file__).parents[3]
On = Callable[..., AbstractContextManager[Terminal]]


@pytest.fixture
def env(gateway: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CRANE", "CBATCH", "LC_", "LANG"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "CRANE_SOCKET": gateway, "LC_ALL": "C.UTF-8"}


@pytest.fixture
def on(env: dict[str, str], tmp_path: Path) -> Iterator[On]:
    """A command on a terminal, in an empty folder."""

    def start(*words: str, **size: int) -> AbstractContextManager[Terminal]:
        return terminal([sys.executable, "-m", f"cli.{words[0]}", *words[1:]], env, cwd=tmp_path, **size)

    yield start


def test_a_watched_listing_draws_what_changed(shell: Shell, cluster: Cluster, on: On) -> None:
    for name in ("one", "two", "three"):
        shell("cbatch", "-J", name, "--wrap", "true")
    with on("cqueue", "--watch", "--sort=j", "-o", "%4j %8n %10t %L", columns=100, lines=20) as seen:
        seen.see("three")
        before = seen.text
        seen.mark()
        cluster.begin(2)
        seen.until(lambda: "two" in seen.text and "cn1" in seen.text)
        assert "one" not in seen.since and "three" not in seen.since  # only what changed was sent
        assert len(seen.text.splitlines()) == len(before.splitlines())
        seen.type("\x03")
        assert seen.end() == 0
        assert not seen.on_other and seen.main.text.replace("^C", "") == ""
        assert seen.raw.endswith("\x1b[?25h\x1b[?1049l")


def test_it_stays_within_a_small_terminal_and_follows_its_size(shell: Shell, on: On) -> None:
    for number in range(30):
        shell("cbatch", "-J", f"日本語-{number}", "--wrap", "true")
    with on("cqueue", "--watch", columns=20, lines=5) as seen:
        seen.see("... ")
        lines = seen.text.splitlines()
        assert (len(lines), max(map(width, lines)) <= 20, lines[-1].startswith("... 2")) == (5, True, True)
        seen.resize(60, 12)
        seen.until(lambda: len(seen.text.splitlines()) == 12 and seen.text.splitlines()[-1].startswith("... 2"))
        seen.resize(15, 3)
        seen.until(lambda: len(seen.text.splitlines()) == 3)
        seen.resize(200, 50)
        seen.until(lambda: len(seen.text.splitlines()) == 32, "all of it")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_given_back_at_any_end(on: On, number: signal.Signals) -> None:
    with on("cinfo", "--watch") as seen:
        seen.see("PARTITION")
        seen.process.send_signal(number)
        assert seen.end() == 128 + number
        assert not seen.on_other and seen.raw.endswith("\x1b[?25h\x1b[?1049l")


def test_what_is_wrong_is_said_after_the_terminal_is_given_back(on: On) -> None:
    with on("cqueue", "--watch", "-t", "nonsense") as seen:
        assert seen.end() == 2
        assert not seen.on_other and "unknown" in seen.text


def test_one_job_is_awaited_with_its_state(shell: Shell, cluster: Cluster, on: On) -> None:
    shell("cbatch", "--hold", "-o", "/tmp/out-%j", "--wrap", "true")
    with on("cwait", "1", columns=70) as seen:
        seen.see("job 1 Pending (Held)")
        shell("ccontrol", "release", "1")
        seen.see("job 1 Pending (Resource)")
        id_ = cluster.begin(1)
        seen.see("job 1 Running on cn1 since 20")
        cluster.end(id_, code=3)
        assert seen.end() == 3
        assert seen.text.splitlines()[-1].startswith("cwait: job 1 Failed, exit code 3, on cn1; output: /tmp/out-1")


def test_a_narrow_terminal_is_not_smeared(shell: Shell, cluster: Cluster, on: On) -> None:
    shell("cbatch", "--array=0-2", "--wrap", "true")
    with on("cwait", "1", columns=20) as seen:
        seen.see("waiting")
        for rank in range(3):
            cluster.run(1, rank)
        assert seen.end() == 0
        assert all(width(line) < 20 for line in seen.text.splitlines())


def test_an_interrupt_says_what_goes_on(on: On) -> None:
    with on("cbatch", "--wait", "--hold", "--wrap", "true") as seen:
        seen.see("Pending (Held)")
        seen.type("\x03")
        assert seen.end() == 130
        assert "cbatch: job 1 goes on; 'ccancel 1' cancels it, 'cwait 1' waits again" in " ".join(seen.text.split())


def test_nothing_of_it_on_pipes(shell: Shell, cluster: Cluster, env: dict[str, Any], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "cli.cbatch", "--wait", "--hold", "-o", "o.txt", "--wrap", "true"]
    waiting = subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=-1, stderr=-1, text=True)
    assert waiting.stdout and waiting.stderr
    assert waiting.stdout.readline() == "Job id allocated: 1.\n"
    shell("ccontrol", "release", "1")
    cluster.run(1, code=3)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (3, "")
    assert err == f"cbatch: job 1 Failed, exit code 3, on cn1; output: {tmp_path}/o.txt\n"
    assert shell("cwait", "1") == (3, "", "")
    assert shell("cwait", "99").code == 4


def test_an_array_names_a_few_that_failed(shell: Shell, cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.common.wait_report import tell_failed

    shell("cbatch", "--array=0-9", "--wrap", "true")
    for rank in range(10):
        cluster.run(1, rank, code=rank % 9)
    tell_failed("cbatch", {"1": 8})
    lines = capsys.readouterr().err.splitlines()
    assert {line.split(" Failed")[0] for line in lines[:5]} < {f"cbatch: job 1_{index}" for index in range(1, 9)}
    assert lines[5:] == ["cbatch: and more: cacct -j 1 -t failed,timeout,cancelled,oom"]
