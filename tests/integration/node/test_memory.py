"""Memory deaths on a real node: of the script, of its children, of steps; what they mean, and what is said of them."""

import time

import pytest

from tests.integration.node.herder import Herder, crun_of, kill

_LIMIT = 64 << 20
#: takes more than the limit; dd's buffer is its own memory
_HOG = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null"
_SAID = "crane: job 1 ran out of memory (limit 64M): 1 process was killed"


@pytest.fixture
def counting(node: Herder) -> Herder:
    """A node that can tell why a process was killed."""
    if node.hello["driver"] == "none":
        pytest.skip("without cgroups nobody can tell")
    return node


@pytest.mark.parametrize(
    ("script", "status", "cause", "deaths"),
    [
        (f"exec {_HOG}", -9, "oom", 1),
        (f"{_HOG}; exit $?", 137, "oom", 1),
        (f"set -e; {_HOG}; true", 137, "oom", 1),
        (f"{_HOG}; code=$?; sleep 0.1; exit $code", 137, "oom", 1),
        (f"{_HOG} & wait $! 2>/dev/null; exit $?", 137, "oom", 1),
        (f"{_HOG}; exit 0", 0, "", 1),
        (f"{_HOG}; exit 3", 3, "", 1),
        (f"{_HOG} || false; exit", 1, "", 1),
        (f"{_HOG}; {_HOG}; exit 0", 0, "", 2),
        ("exit 137", 137, "", 0),
        ("kill -9 $$", -9, "", 0),
    ],
)
def test_of_a_script(counting: Herder, script: str, status: int, cause: str, deaths: int) -> None:
    counting.launch([1], script, memory=_LIMIT)
    assert counting.ended(1) == (status, cause)
    assert counting.ends[1, 1][8] == deaths
    said = [line for line in (counting.out / "o").read_text().splitlines() if line != "Killed"]  # the shell's own word
    assert said == [_SAID.replace("1 process was", "2 processes were") if deaths > 1 else _SAID][: min(deaths, 1)]


def test_of_steps(counting: Herder) -> None:
    crun = crun_of(counting)
    counting.launch(
        [1],
        f"""{crun} -Q {_HOG}; {crun} -Q sh -c '{_HOG}; exit $?'; {crun} -Q sh -c '{_HOG}; exit 0'
        {crun} -Q false; exit 0""",
        memory=_LIMIT,
    )
    assert counting.ended(1) == (0, "")
    assert counting.ends[1, 1][8] == 3
    ended = [(row[4], row[10], row[11], row[19]) for row in counting.steps if row[16]]
    assert ended == [(2, -9, "oom", 1), (3, 137, "oom", 1), (4, 0, "", 1), (5, 1, "", 0)]


def test_a_step_s_death_that_the_script_passes_on(counting: Herder) -> None:
    counting.launch([1], f"{crun_of(counting)} -Q {_HOG}; exit $?", memory=_LIMIT)
    assert counting.ended(1) == (137, "oom")


def test_a_tolerated_death_labels_no_later_failure(counting: Herder) -> None:
    crun = crun_of(counting)
    counting.launch([1], f"{crun} -Q {_HOG}; {crun} -Q sh -c 'kill -9 $$'; exit $?", memory=_LIMIT)
    assert counting.ended(1) == (137, "")
    counting.launch([2], f"{_HOG}; {crun} -Q sh -c 'kill -9 $$'; exit $?", memory=_LIMIT)
    assert counting.ended(2) == (137, "")
    counting.launch([3], f"{_HOG}; echo up > $OUT/up; while :; do sleep 0.02; done", memory=_LIMIT)
    counting.wait_for("up")
    counting.send(op="kill", rows=[[3, 1, 9]])
    assert counting.ended(3) == (-9, "")
    assert [counting.ends[id_, 1][8] for id_ in (1, 2, 3)] == [1, 1, 1]


def _reaches_back() -> bool:
    """Return whether the kernel's log holds more than the last half minute; its own clock may differ by some
    seconds."""
    with open("/dev/kmsg", "rb", buffering=0) as log:
        oldest = int(log.read(8192).split(b",")[2]) / 1e6
    return time.monotonic() - oldest > 30


def test_a_kill_by_hand_after_a_death_is_none_for_memory(counting: Herder) -> None:
    try:
        with open("/dev/kmsg", "rb"):
            pass
    except OSError:
        pytest.skip("the kernel's log is closed to us")
    counting.launch([1], f"{_HOG}; kill -9 $$", memory=_LIMIT)
    first = counting.ended(1)
    counting.launch([2], f"{crun_of(counting)} -Q sh -c '{_HOG}; kill -9 $$'; exit $?", memory=_LIMIT)
    second = counting.ended(2)
    if not _reaches_back():
        pytest.skip("other deaths of this moment have filled the kernel's log: it does not reach back far enough")
    assert (first, second) == ((-9, ""), (137, ""))
    assert [counting.ends[id_, 1][8] for id_ in (1, 2)] == [1, 1]


def test_the_next_run_in_the_same_group_counts_anew(counting: Herder) -> None:
    for run in (1, 2):
        counting.launch([1], f"{_HOG}; kill -9 $$" if run == 1 else "kill -9 $$", memory=_LIMIT, run=run)
        counting.ended(1, run)
    assert [counting.ends[1, run][8] for run in (1, 2)] == [1, 0]
    assert counting.ended(1, 2) == (-9, "")


@pytest.mark.parametrize("killed", ["shepherd", "both"])
def test_the_count_survives_the_daemons(counting: Herder, killed: str) -> None:
    counting.launch([1], f"{_HOG}; exit 0", memory=_LIMIT)  # the group has counted one before
    counting.ended(1)
    crun = crun_of(counting)
    script = f"{crun} -Q {_HOG}; {_HOG}; echo up > $OUT/up; until [ -e $OUT/go ]; do sleep 0.02; done; exit 4"
    counting.launch([2], script, memory=_LIMIT)
    counting.wait_for("up")
    spawner = counting.spawner_pid()
    counting.kill_shepherd()
    if killed == "both":
        kill(spawner)
    counting.open()
    (counting.out / "go").touch()
    counting.ended(2)
    assert counting.ends[2, 1][8] == 2
    said = (counting.out / "o").read_text()
    assert said == "crane: job 2 ran out of memory (limit 64M): 2 processes were killed\n"


def test_what_is_said_stands_on_a_line_of_its_own_in_the_error_file(counting: Herder) -> None:
    paths = ["/dev/null", f"{counting.out}/o", f"{counting.out}/e"]
    counting.launch([1], f"printf oh >&2; {_HOG}; exit 0", memory=_LIMIT, paths=paths)
    counting.ended(1)
    assert (counting.out / "o").read_text() == ""
    assert (counting.out / "e").read_text() == f"oh\n{_SAID}\n"


def test_no_file_is_made_or_followed_for_it(counting: Herder) -> None:
    counting.launch([1], f"rm $OUT/o; {_HOG}; exit 0", memory=_LIMIT)
    counting.launch([2], f"{_HOG}; exit 0", memory=_LIMIT, paths=["/dev/null", "/dev/null", ""])
    assert counting.ended(1) == counting.ended(2) == (0, "")
    assert not (counting.out / "o").exists()


def test_without_cgroups_it_is_said_that_nobody_knows(node: Herder) -> None:
    if node.hello["driver"] != "none":
        pytest.skip("with cgroups it is known")
    node.launch([1], "kill -9 $$")
    node.launch([2], "exit 9")
    assert node.ended(1) == (-9, "") and node.ended(2) == (9, "")
    assert node.ends[1, 1][7] == "killed; without cgroups it is not known whether memory ran out"
    assert node.ends[2, 1][7] == ""
