"""cwait: it ends when the jobs do, as they did, or when its time is over; and what a bar says meanwhile."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from cli import cwait
from cli.common import wait
from cli.common.progress import Progress
from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster


@pytest.fixture(autouse=True)
def no_alarm() -> Iterator[None]:
    """Provide what a test has set ends with it."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_the_highest_code_of_all(shell: Shell, cluster: Cluster) -> None:
    shell("cbatch", "--array=0-2", "--wrap", "true")
    shell("cbatch", "--wrap", "true")
    for rank, code in ((0, 0), (1, 3), (2, 2)):
        cluster.run(1, rank, code)
    cluster.run(4, code=265)
    assert shell("cwait", "1_[0,2]").code == 2
    assert shell("cwait", "1").code == 3
    assert shell("cwait", "1_0,1_2", "4").code == 128 + 9
    said = shell("cwait", "--json", "1_0", "4")
    assert (said.code, json.loads(said.out)) == (137, {"ok": True, "exit_codes": {"1_0": 0, "4": 265}})


def test_of_an_array_that_has_left_the_server_every_element_counts(
    shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("cbatch", "--array=1-3", "--wrap", "true")
    for rank, code in ((0, 0), (1, 3), (2, 0)):
        cluster.run(1, rank, code)
    said = shell("cwait", "1_9")
    assert said.code == 4 and "its indexes are 1-3" in said.err
    cluster.store.set_cursor("recorder", cluster.store.last_event())
    assert cluster.store.forget(cluster.fence, cluster.store.now() + 1, 10).jobs == 1
    monkeypatch.setattr(cluster.service.past, "array_of", lambda id_: "1-3" if id_ == 1 else "")
    codes = {
        name: shell("cwait", name).code for name in ("1", "2", "3", "1_1", "1_2", "1_[1,3]", "1_[2-3]", "1_9", "2_1")
    }
    wanted = {"1": 1, "2": 1, "3": 0, "1_1": 0, "1_2": 1, "1_[1,3]": 0, "1_[2-3]": 1, "1_9": 4, "2_1": 4}
    assert codes == wanted


def test_the_time_is_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(signal, "alarm", asked.append)

    def follow(*_: Any) -> None:
        cwait._time_is_up()

    monkeypatch.setattr("crane_celery.gateway.client.follow", follow)
    said = shell("cwait", "--timeout", "90s", "1")
    assert (said.code, asked) == (124, [90])
    assert "within 90s" in said.err


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        ((), 2, "required"),
        (("x",), 2, "bad id"),
        (("99",), 4, "there is no job 99"),
        (("1.2",), 2, "wait for its job, 1"),
        (("--timeout", "soon", "1"), 2, "bad time span"),
        (("--timeout", "0", "1"), 2, "no time to wait"),
    ],
)
def test_what_is_refused(shell: Shell, argv: tuple[str, ...], code: int, text: str) -> None:
    said = shell("cwait", *argv)
    assert said.code == code and text in said.err


def test_what_a_bar_says() -> None:
    times = iter([0.0, 2.0, 4.0, 400.0, 40_000.0])
    pace = wait.Pace(lambda: next(times))
    assert pace.note(total=9, pending=5, ended=1, ok=1) == "5 pending, 3 running, 1 ok, 0 failed"
    assert pace.note(total=9, pending=4, ended=3, ok=2).endswith("2 ok, 1 failed, 1.0/s, 6 s left")
    assert pace.note(total=9, pending=0, ended=9, ok=8) == "0 pending, 0 running, 8 ok, 1 failed, 2.0/s"
    assert pace.note(total=9, pending=0, ended=3, ok=3).endswith("20 min left")
    assert pace.note(total=9, pending=0, ended=3, ok=3).endswith("33 h left")


class Terminal:
    """A stream that somebody looks at."""

    def __init__(self, looked_at: bool) -> None:
        self.text, self._looked_at = "", looked_at

    def isatty(self) -> bool:
        return self._looked_at

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_bar_is_drawn_where_somebody_looks(looked_at: bool) -> None:
    stream: Any = Terminal(looked_at)
    bar = Progress("waiting", stream)
    bar.show(1, 2, "1 failed")
    bar.close()
    assert stream.text == ("\rwaiting [############............] 1/2 1 failed\033[K\n" if looked_at else "")
