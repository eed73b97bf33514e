"""Runs on a real node: exit codes, files, limits, stops, refusals."""

import os
import signal

import pytest

from tests.integration.node.herder import Herder, kill


def test_exit_codes_and_output(node: Herder) -> None:
    node.launch([1], 'echo "$CRANE_JOB_ID $(id -u)"; exit 7', paths=["/dev/null", f"{node.out}/deep/er/o", ""])
    node.launch([2], "kill -9 $$")
    assert node.ended(1) == (7, "")
    assert node.ended(2) == (-9, "")
    assert (node.out / "deep/er/o").read_text() == f"1 {node.uid}\n"
    assert (node.out / "deep/er/o").stat().st_uid == node.uid


def test_a_job_inherits_nothing_but_its_own_files(node: Herder) -> None:
    node.launch([1], "ls /proc/$$/fd; cat /proc/$$/environ | tr '\\0' '\\n' | grep -c CRANE_DAEMON")
    assert node.ended(1) == (1, "")
    open_ = {line for line in node.lines("o") if line.isdigit()}
    assert open_ <= {"0", "1", "2", "10"}  # 10 is where sh keeps its own


def test_a_spawner_s_memory_holds_nothing_of_another_s_launch(node: Herder) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    secret = "sesame" + os.urandom(8).hex()
    env = {"PATH": os.defpath, "SECRET": secret}
    node.launch([1], "true", env=env, uid=1235, gid=1235, groups=[1235], paths=["/dev/null", "/dev/null", ""])
    assert node.ended(1) == (0, "")
    first = node.spawner_pid()
    assert _holds(first, secret)  # so this would be seen
    node.launch([2], "true", uid=1236, gid=1236, groups=[1236], paths=["/dev/null", "/dev/null", ""])
    assert node.ended(2) == (0, "")
    later = [pid for pid in node.ours("crane-spawner") if pid != first]
    assert len(later) == 1
    assert not _holds(later[0], secret)


def test_a_killed_fork_server_is_replaced(node: Herder) -> None:
    node.launch([9], "true")
    assert node.ended(9) == (0, "")
    (server,) = node.ours("crane-forker")
    kill(server)
    kill(node.spawner_pid())
    node.launch([1], "exit 3")
    assert node.ended(1) == (3, "")
    (fresh,) = node.ours("crane-forker")
    assert fresh != server


def _holds(pid: int, secret: str) -> bool:
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, mode, *_ = line.split()
            if mode.startswith("rw") and "[v" not in line:
                first, last = (int(end, 16) for end in span.split("-"))
                memory.seek(first)
                if secret.encode() in memory.read(last - first):
                    return True
    return False


def test_a_second_launch_is_refused(node: Herder) -> None:
    node.launch([1, 1], "echo x >> $OUT/w; sleep 0.2")
    node.launch([1], "echo x >> $OUT/w")
    assert node.ended(1) == (0, "")
    node.launch([1], "echo x >> $OUT/w")
    node.launch([2], "true")
    assert node.ended(2) == (0, "")
    assert node.lines("w") == ["x"]


def test_stopped_before_it_came(node: Herder) -> None:
    node.send(op="kill", rows=[[5, 1, 0]])
    node.launch([5], "echo x >> $OUT/w")
    assert node.ended(5) == (None, "cancel")
    assert node.lines("w") == []


@pytest.mark.parametrize(
    ("over", "cause"),
    [
        ({"cwd": "/nonexistent"}, "cwd"),
        ({"paths": ["/dev/null", "/proc/nope/o", ""]}, "output"),
        ({"paths": ["/nonexistent", "/dev/null", ""]}, "input"),
        ({"argv": ["/nonexistent/program"]}, "exec"),
        ({"env": {"A": "x" * (1 << 20)}}, "spawn"),
    ],
)
def test_launch_failures_name_their_stage(node: Herder, over: dict[str, object], cause: str) -> None:
    node.launch([1], "true", **over)
    node.launch([2], "true")
    assert node.ended(1) == (None, cause)
    assert node.ends[1, 1][7]
    assert node.ended(2) == (0, "")


def test_time_limit_takes_all_even_what_ignores_term_and_has_its_own_session(node: Herder) -> None:
    node.launch(
        [1], "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > $OUT/pid; sleep 300' & exec sleep 300", limit=0.3
    )
    status, cause = node.ended(1)
    assert (status, cause) == (-9, "limit")
    pid = int(node.lines("pid")[0])
    assert not os.path.exists(f"/proc/{pid}") or _zombie(pid)


def test_cancel_is_term_first(node: Herder) -> None:
    node.launch([1], "trap 'exit 4' TERM; sleep 300 & wait")
    node.began(1)
    node.send(op="kill", rows=[[1, 1, 0]])
    assert node.ended(1)[1] == "cancel"


def test_left_behind_children_are_killed(node: Herder) -> None:
    node.launch([1], "setsid sleep 300 & echo $! > $OUT/pid")
    assert node.ended(1) == (0, "")
    pid = int(node.lines("pid")[0])
    assert not os.path.exists(f"/proc/{pid}") or _zombie(pid)


def test_a_plain_signal_only_signals(node: Herder) -> None:
    node.launch([1], "trap 'exit 9' USR1; echo $$ > $OUT/pid; while :; do sleep 0.05; done")
    node.began(1)
    node.hear(lambda: True)
    node.send(op="kill", rows=[[1, 1, signal.SIGUSR1]])
    status, cause = node.ended(1)
    assert cause == ""
    assert status in (9, -signal.SIGUSR1)


def test_a_fork_bomb_is_bounded(node: Herder) -> None:
    if node.hello["driver"] == "none":
        bomb = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 300 & done; wait"
    else:
        bomb = "b() { b | b & b; }; b; sleep 300"
    node.launch([1], bomb, limit=1.0)
    assert node.ended(1)[1] in ("limit", "")
    node.launch([2], "true")
    assert node.ended(2) == (0, "")


def test_memory(node: Herder) -> None:
    if node.hello["driver"] == "none":
        node.launch([1], "head -c 100000000 /dev/zero | tail", memory=16 << 20)
        assert node.ended(1)[1] == ""
        return
    node.launch([1], "head -c 300000000 /dev/zero | tail > /dev/null", memory=32 << 20)
    assert node.ended(1)[1] == "oom"


def test_what_the_store_does_not_know_is_killed(node: Herder) -> None:
    node.launch([1, 2], "sleep 300")
    node.began(1, 2)
    node.send(op="keep", live=[[2, 1], [3, 1]])
    assert node.ended(1)[1] == "stale"
    node.hear(lambda: bool(node.missing))
    assert node.missing == [[3, 1]] and node.closed == []


def test_what_was_closed_is_told_apart_from_what_never_came(node: Herder) -> None:
    node.launch([1], "true")
    node.ended(1)
    node.send(op="keep", live=[[1, 1], [3, 1]])
    node.hear(lambda: bool(node.missing))
    assert (node.missing, node.closed) == ([[1, 1], [3, 1]], [[1, 1]])


def _zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"
