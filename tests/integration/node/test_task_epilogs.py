"""TaskEpilog on a real node: after which tasks, as whom, for how long, and whoever is killed meanwhile."""

import pathlib
from typing import Any

from tests.integration.node.herder import Herder, crun_of, kill
from tests.integration.node.test_hooks import hooks, program

_SLOW = "echo up >> $OUT/e; until [ -e $OUT/go ]; do sleep 0.02; done; echo through >> $OUT/e"


def epilog(node: Herder, text: str, **over: Any) -> dict[str, Any]:
    """The hooks of a node that has a task epilog alone."""
    return hooks(task_epilog=program(node, "te", text), **over)


def log(node: Herder) -> str:
    """Return what the shepherd has said."""
    return (node.base / "log").read_text()


def test_it_follows_the_script_and_each_task_as_they_ran(node: Herder) -> None:
    text = (
        'echo "after ${CRANE_STEP_ID-script} ${CRANE_PROCID-none} $MINE $(id -u) $(pwd) $CRANE_TASK_EXIT_CODE"; exit 9'
    )
    script = f"export MINE=its; {crun_of(node)} -Q -n 2 sh -c 'echo task; exit $CRANE_PROCID'; echo gave $?; exit 3"
    node.launch([1], script, cpus=2.0, hooks=epilog(node, text))
    assert node.ended(1) == (3, "")
    said = (node.out / "o").read_text().splitlines()
    where = f"{node.uid} {node.out}"
    of_step = [f"after 2 0 its {where} 0:0", f"after 2 1 its {where} 1:0"]
    assert sorted(said[:4]) == [*of_step, "task", "task"]
    assert said[4:] == ["gave 1", f"after script none  {where} 3:0"]  # its own environment, not what the script set
    assert [row[10] for row in node.steps if row[15]] == [1]
    assert log(node).count("exit code 9") == 3 and node.drains == []


def test_one_that_takes_too_long_is_ended_and_the_job_keeps_its_result(node: Herder) -> None:
    node.launch([1], "exit 5", hooks=epilog(node, "echo up >> $OUT/e; sleep 300 & sleep 300", epilog_s=0.3))
    assert node.ended(1) == (5, "")
    assert node.lines("e") == ["up"]
    assert "longer than 0.3 s" in log(node)


def test_one_that_is_not_there_is_told_of_and_nothing_else(node: Herder) -> None:
    node.launch([1], "exit 5", hooks=hooks(task_epilog="/nonexistent/te"))
    assert node.ended(1) == (5, "")
    assert "/nonexistent/te: No such file" in log(node) and node.drains == []


def test_a_job_that_is_cancelled_or_killed_has_none(node: Herder) -> None:
    after = epilog(node, "echo epilog >> $OUT/e")
    node.launch([1, 2], "echo up >> $OUT/up; exec sleep 300", hooks=after)
    node.wait_for("up", 1)
    node.send(op="kill", rows=[[1, 1, 0], [2, 1, 9]])
    assert node.ended(1) == (-15, "cancel")
    assert node.ended(2) == (-9, "")
    assert node.lines("e") == []


def test_cancelled_meanwhile_it_ends_and_the_job_keeps_its_result(node: Herder) -> None:
    node.launch([1], "exit 5", hooks=epilog(node, _SLOW))
    node.wait_for("e")
    node.send(op="kill", rows=[[1, 1, 0]])
    assert node.ended(1) == (5, "")
    assert node.lines("e") == ["up"]


def test_a_task_that_outlives_the_shepherd_has_its_epilog(node: Herder) -> None:
    node.launch([1], "until [ -e $OUT/on ]; do sleep 0.02; done; exit 6", hooks=epilog(node, "echo $PATH >> $OUT/e"))
    node.began(1)
    node.kill_shepherd()
    node.open()
    node.launch([2], "touch $OUT/on")
    assert node.ended(1) == (6, "")
    assert len(node.lines("e")) == 1


def test_it_runs_once_though_the_shepherd_is_killed_meanwhile(node: Herder) -> None:
    node.launch([1], "exit 6", hooks=epilog(node, _SLOW))
    node.wait_for("e")
    node.kill_shepherd()
    node.open()
    node.launch([2], "touch $OUT/go")
    assert node.ended(1) == (6, "")
    assert node.lines("e") == ["up", "through"]


def test_the_spawner_is_killed_meanwhile(node: Herder) -> None:
    node.launch([1], "exit 6", hooks=epilog(node, _SLOW))
    node.wait_for("e")
    kill(node.spawner_pid())
    node.launch([2], "touch $OUT/go")
    assert node.ended(2) == (0, "")
    assert node.ended(1) == (6, "")


def test_the_spawner_is_killed_before_and_none_is_waited_for(node: Herder) -> None:
    slow = "echo up >> $OUT/up; until [ -e $OUT/on ]; do sleep 0.02; done; exit 6"
    node.launch([1], slow, hooks=epilog(node, "echo epilog >> $OUT/e"))
    node.wait_for("up")
    kill(node.spawner_pid())
    node.launch([2], "touch $OUT/on")
    assert node.ended(1)[1] == ""
    assert node.lines("e") == []


def test_both_are_killed_meanwhile(node: Herder) -> None:
    node.launch([1], "exit 6", hooks=epilog(node, _SLOW))
    node.wait_for("e")
    spawner = node.spawner_pid()
    node.kill_shepherd()
    kill(spawner)
    node.open()
    assert node.ended(1) == (6, "")
    assert node.lines("e") == ["up"]


def test_files_that_were_kept_for_it_are_closed(node: Herder) -> None:
    node.launch([1, 2, 3], "true", hooks=epilog(node, "exit 0"))
    node.launch([4], "kill -9 $$", hooks=epilog(node, "exit 0"))
    for id_ in (1, 2, 3, 4):
        node.ended(id_)
    node.launch([5], "true")
    assert node.ended(5) == (0, "")
    spawner = pathlib.Path(f"/proc/{node.spawner_pid()}/fd")
    assert not [fd for fd in spawner.iterdir() if str(fd.readlink()).startswith(str(node.out))]
