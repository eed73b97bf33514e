"""A whole node (shepherd, fork server, spawners, jobs in cgroups) on a hierarchy that is v2 and nothing else.

    tests/vm/run_v2_vm -- python3 -m tests.vm.node

No pytest is there; each function below is a test, given a node whose jobs are an ordinary user's.
"""

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.integration.node.herder import DEADLINE_S, Herder, kill

USER = 1234
#: descriptors that the shepherd has open for a user whose spawner lives
_FOR_A_USER = 4
_HELD = "until [ -e $OUT/go ]; do sleep 0.05; done; exit 5"


def jobs_run_in_their_groups(node: Herder) -> None:
    """Exit codes are true; each job is in a leaf of the node's own tree, and as its user."""
    node.launch([1], "cat /proc/self/cgroup; id -u; exit 7")
    assert node.ended(1) == (7, "")
    group, uid = node.lines("o")
    assert node.config["cluster"] in group and uid == str(USER), (group, uid)


def limits_are_set(node: Herder) -> None:
    """Check that what the job asked for is what its group says."""
    node.launch(
        [1], "g=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); cat ${g%/*}/memory.max ${g%/*}/cpu.max", cpus=0.5
    )
    assert node.ended(1) == (0, "")
    memory, quota, period = (int(word) for word in node.lines("o"))
    assert memory == 256 << 20 and quota * 2 == period


def out_of_memory_is_told_apart(node: Herder) -> None:
    """An OOM kill is one, a kill is not, and the neighbour and the spawner live on."""
    node.launch([2], _HELD, paths=["/dev/null", "/dev/null", ""])
    node.began(2)
    spawner = node.spawner_pid()
    node.launch([1], "exec python3 -c 'bytearray(200 << 20)'", memory=32 << 20)
    assert node.ended(1) == (-9, "oom")
    node.launch([3], "kill -9 $$")
    assert node.ended(3) == (-9, "")
    assert node.spawner_pid() == spawner
    (node.out / "go").touch()
    assert node.ended(2) == (5, "")


def a_memory_death_is_outlived_and_counted(node: Herder) -> None:
    """One process dies of it, not the whole job; the count is that of this run, whoever watches it."""
    hog = "python3 -c 'bytearray(200 << 20)'"
    node.launch([1], f"{hog}; echo up > $OUT/up; until [ -e $OUT/go ]; do sleep 0.05; done; exit 3", memory=32 << 20)
    node.wait_for("up")
    node.kill_shepherd()
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (3, "") and node.ends[1, 1][8] == 1, node.ends
    assert "crane: job 1 ran out of memory (limit 32M): 1 process was killed" in (node.out / "o").read_text()
    node.launch([2], f"{hog}; exit $?", memory=32 << 20)
    assert node.ended(2) == (137, "oom") and node.ends[2, 1][8] == 1, node.ends
    node.launch([3], "kill -9 $$", memory=32 << 20)
    assert node.ended(3) == (-9, "") and node.ends[3, 1][8] == 0, node.ends


def _is_dead(pid: int) -> bool:
    """Return whether a process has ended; its parent (init, for an orphan) may not have collected it yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def a_stubborn_tree_is_killed(node: Herder) -> None:
    """A time limit takes all of it, sessions of their own included."""
    node.launch(
        [1], "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > $OUT/pid; sleep 300' & sleep 300", limit=1.0
    )
    assert node.ended(1) == (-9, "limit")
    assert _is_dead(int(node.lines("pid")[0]))


def the_shepherd_is_killed(node: Herder) -> None:
    """Jobs run on, and the next shepherd tells their true codes."""
    node.launch([1], _HELD)
    node.began(1)
    node.kill_shepherd()
    node.open()
    (node.out / "go").touch()
    assert node.ended(1) == (5, "")


def the_spawner_is_killed(node: Herder) -> None:
    """Its children are the shepherd's, with their codes; both dead: the status is lost, and the end is seen."""
    node.launch([1], _HELD)
    node.began(1)
    kill(node.spawner_pid())
    node.launch([2], "exit 6")
    assert node.ended(2) == (6, "")
    node.launch([3], _HELD)
    node.began(3)
    spawner = node.spawner_pid()
    node.kill_shepherd()
    kill(spawner)
    node.open()
    (node.out / "go").touch()
    assert node.ended(3) == (None, "")


def two_users_against_a_victim(node: Herder) -> None:
    """They attack the shepherd from inside their jobs, and stop their spawners: the victim's jobs end as ever."""
    node.launch([1], "exit 3")
    assert node.ended(1) == (3, "")
    assert node.link is not None
    shepherd = node.link.peer()[0]
    before = _descriptors(shepherd)
    for id_, uid in ((2, 1301), (3, 1302)):
        who = {"uid": uid, "gid": uid, "groups": [uid], "paths": ["/dev/null", "/dev/null", ""]}
        socket = f"{node.config['run']}/shepherd.sock"
        attack = (
            f"cd /crane && sleep 600 | python3 -m tests.faults.attacks {uid} shepherd $OUT '' {socket} >> $OUT/said"
        )
        node.launch([id_], f"export CRANE_JOB_ID; {attack}", cpus=4.0, limit=30.0, **who)
        node.launch([id_ + 2], "kill -STOP $PPID; trap '' TERM; sleep 600", limit=2.0, **who)
        node.launch([id_ + 4], "kill -KILL $PPID; sleep 600", limit=2.0, **who)
    node.wait_for("said")
    for id_ in range(100, 140, 2):
        node.launch([id_], f"exit {id_}", paths=["/dev/null", "/dev/null", ""])
        node.launch([id_ + 1], "sleep 600", limit=0.5, paths=["/dev/null", "/dev/null", ""])
        assert node.ended(id_) == (id_, "")
        assert node.ended(id_ + 1)[1] == "limit"
    for id_ in range(2, 8):
        assert node.ended(id_)[1] in ("limit", ""), node.ends
    assert node.link.peer()[0] == shepherd and not _is_dead(shepherd)
    _until(node, lambda: len(_descriptors(shepherd)) <= len(before) + 2 * _FOR_A_USER, lambda: _descriptors(shepherd))
    log = (node.base / "log").read_text()
    assert "Traceback" not in log and "unexpected fault" not in log, log[-4000:]


def _descriptors(pid: int) -> list[str]:
    """Return what a process has open, but for groups, which are kept to be used again."""
    found = (os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink())
    return sorted(name for name in found if not name.startswith("/sys/fs/cgroup/"))


def _until(node: Herder, enough: Callable[[], bool], seen: Callable[[], object]) -> None:
    """Wait for what the node tells nobody of; its answers pace us. ``seen`` says what stands in the way."""
    until = time.monotonic() + DEADLINE_S
    while not enough():
        assert time.monotonic() < until, seen()
        node.missing = []
        node.send(op="keep", live=[[0, 1]])
        node.hear(lambda: bool(node.missing))


TESTS: tuple[Callable[[Herder], None], ...] = (
    jobs_run_in_their_groups,
    limits_are_set,
    out_of_memory_is_told_apart,
    a_memory_death_is_outlived_and_counted,
    a_stubborn_tree_is_killed,
    the_shepherd_is_killed,
    the_spawner_is_killed,
    two_users_against_a_victim,
)


def main() -> int:
    """Run all; return the exit status."""
    failed = 0
    for test in TESTS:
        began, base = time.monotonic(), Path(tempfile.mkdtemp(prefix="herd"))
        base.chmod(0o755)
        node, word = Herder(base, USER, "v2"), "ok"
        try:
            node.open()
            assert node.hello["driver"] == "v2"
            test(node)
            node.close()
            node.kill_all()
            assert not list(Path("/sys/fs/cgroup").rglob(f"*{base.name}*")), "groups are left"
        except BaseException:
            log = base / "log"
            sys.stdout.write(traceback.format_exc() + (log.read_text() if log.exists() else ""))
            word, failed = "FAIL", 1
            node.kill_all()
        sys.stdout.write(f"{word} {test.__name__} {time.monotonic() - began:.2f}s\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
