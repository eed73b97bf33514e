"""`crun` in a job's script: own output, exit codes, signals, tasks, several at once, and what becomes of them."""

import os
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def job(crane: Cluster, script: str, *args: str) -> tuple[int, str]:
    """Run a script of four CPUs to its end; its id and output."""
    made = crane.submit("-n4", "-o", "%j.out", "-e", "%j.err", *args, stdin=f"#!/bin/bash\n{script}\n")
    assert crane.wait(made) == {made: 0}, (crane.work / f"{made}.err").read_text()
    return made, (crane.work / f"{made}.out").read_text()


def test_tasks_know_their_rank(crane: Cluster) -> None:
    made, said = job(crane, "crun -n 4 sh -c 'echo $CRANE_PROCID/$CRANE_NTASKS $CRANE_STEP_ID' | sort")
    assert said == "0/4 2\n1/4 2\n2/4 2\n3/4 2\n"
    steps = crane.json("cacct", "-j", str(made))["job_info_list"][0]["step_info_list"]
    assert [(step["step_id"], step["ntasks"], step["status"]) for step in steps][2:] == [(2, 4, "Completed")]


def test_more_tasks_than_one_message_has_descriptors_for(crane: Cluster) -> None:
    said = job(crane, "crun -c 0.01 -n 100 sh -c 'echo $CRANE_PROCID' | sort -n | tail -n 1")[1]
    assert said == "99\n"
    said = job(crane, "crun -c 0.01 -n 100 -o part-%t.txt sh -c 'echo $CRANE_PROCID'; cat part-*.txt | wc -l")[1]
    assert said.strip() == "100"
    script = "crun -n 99 true; echo $?; crun -n 300 true; echo $?"
    made, said = job(crane, script)
    assert said == "4\n4\n"
    assert (crane.work / f"{made}.err").read_text().splitlines() == [
        "crun: error: step refused: the step asks for more than the job holds: 99 CPUs; the job has 4 CPUs on this node"
        " (error 85)",
        "crun: error: 300 tasks: a step has 256 at most; start several steps",
    ]


def test_exit_codes_and_signals(crane: Cluster) -> None:
    script = (
        "crun -n1 sh -c 'exit 5'; echo $?\ncrun -n1 sh -c 'kill -TERM $$'; echo $?\n"
        "crun -n1 sh -c 'kill -9 $$'; echo $?\n"
        "crun -n3 sh -c 'exit $CRANE_PROCID'; echo $?\ncrun -n1 -t 1s sleep 600; echo $?\ncrun -n1 true; echo $?\n"
        "crun -Q -n1 false; echo $?\ncrun nosuchprogram; echo $?\ncrun -D /nonexistent -n1 true; echo $?"
    )
    made, said = job(crane, script)
    assert said.split() == ["5", "143", "137", "2", "143", "0", "1", "4", "1"]
    assert (crane.work / f"{made}.err").read_text().splitlines() == [
        "error: task 0: Exited with exit code 5",
        "error: task 0: Terminated",
        "error: task 0: Terminated",
        "error: task 1: Exited with exit code 1",
        "error: task 2: Exited with exit code 2",
        "error: task 0: Terminated",
        "crun: error: nosuchprogram: command not found",
        "error: task 0: working directory /nonexistent: No such file or directory",
    ]
    rows = crane.json("cacct", "-j", str(made))["job_info_list"][0]["step_info_list"][2:]
    assert [(row["status"], row["exit_text"]) for row in rows] == [
        ("Failed", "5:0"),
        ("Failed", "0:15"),
        ("Failed", "0:9"),
        ("Failed", "2:0"),
        ("ExceedTimeLimit", "0:69"),
        ("Completed", "0:0"),
        ("Failed", "1:0"),
        ("Failed", "0:67"),
    ]


def test_streams(crane: Cluster) -> None:
    script = (
        "echo piped | crun -n1 cat\ncrun -n1 sh -c 'echo out; echo err >&2' 2>&1 | sort\n"
        "crun -n1 -o none -e none sh -c 'echo lost; echo lost >&2'\ncrun -n2 -o 1 sh -c 'echo task $CRANE_PROCID'\n"
        "echo x > given; crun -n1 -i given -o own-%J-%t.txt cat; cat own-*-0.txt"
    )
    assert job(crane, script)[1] == "piped\nerr\nout\ntask 1\nx\n"


def test_several_at_once_and_those_that_wait(crane: Cluster) -> None:
    """Three steps of two CPUs in a job of four: the third begins when one has ended."""
    script = (
        "mkfifo go1 go2; : > begun\n"
        'for i in 1 2; do crun -c 2 -n1 sh -c "echo >> begun; read x < go$i; echo done" & done\n'
        "until [ $(wc -l < begun) = 2 ]; do :; done\n"
        "crun -c 2 -n1 sh -c 'echo third' 2>waiting &\nuntil [ -s waiting ]; do :; done; cat waiting\n"
        "echo > go1; echo > go2; wait"
    )
    said = job(crane, script)[1]
    assert "allocated, waiting resources." in said
    assert said.count("done") == 2 and said.count("third") == 1


def test_what_a_step_may_not_ask(crane: Cluster) -> None:
    script = "".join(f"crun {option} true; echo $?; " for option in ("-J x", "--hold", "-p main", "--exclusive"))
    made, said = job(crane, f"{script} crun; echo $?; crun --pty true; echo $?; crun -n0 true; echo $?")
    assert said.split() == ["2", "2", "2", "2", "2", "1", "2"]
    said = (crane.work / f"{made}.err").read_text()
    assert "crun: error: --job-name is not supported in step.\n" in said
    assert "crun: error: --pty is not supported yet: leave it out\n" in said


def test_steps_are_shown_while_they_run_and_end_with_their_job(crane: Cluster) -> None:
    told = crane.work / "told"
    os.mkfifo(told)
    script = (
        "#!/bin/bash\ncrun -n1 sh -c 'trap \"\" TERM; echo a > told; exec sleep 600' &\n"
        "crun -n1 sh -c 'echo b > told; exec sleep 600' &\nwait\n"
    )
    made = crane.submit("-n4", "-o", "%j.out", stdin=script)
    heard = ""
    while len(heard) < 2:
        heard += Path(told).read_text().replace("\n", "")
    told.unlink()
    crane.run("ccancel", str(made))
    assert crane.wait(made) == {made: 320}
    rows = crane.json("cacct", "-j", str(made))["job_info_list"][0]["step_info_list"]
    assert [(row["step_id"], row["status"]) for row in rows] == [
        (0, "Completed"),
        (1, "Cancelled"),
        (2, "Cancelled"),
        (3, "Cancelled"),
    ]


def test_a_running_step_is_listed(crane: Cluster) -> None:
    script = (
        'crun -n1 sh -c "exec sleep 600" & pid=$!\nfor n in {1..500}; do '
        "cqueue -N --step $CRANE_JOB_ID -o %i | grep -q '\\.2$' && echo listed && break; done\n"
        "ccontrol show step $CRANE_JOB_ID.2 | grep -c State=RUNNING\nkill $pid; wait $pid; echo $?\n"
        "cqueue -N --step $CRANE_JOB_ID -o %i | grep -c '\\.2$'"
    )
    assert job(crane, script + "; true")[1].split() == ["listed", "1", "143", "0"]


def test_one_step_is_cancelled_and_its_job_goes_on(crane: Cluster) -> None:
    script = (
        'crun -Q -n1 sh -c "exec sleep 600" & pid=$!\n'
        "until ccancel $CRANE_JOB_ID.2 > done 2>/dev/null; do :; done; cat done; wait $pid; echo $?\n"
        "ccancel $CRANE_JOB_ID.9 2>&1; echo $?\n"
    )
    made, said = job(crane, script)
    assert said.splitlines() == [
        f"Step {made}.2 cancelled successfully.",
        "143",
        f"Failed to cancel step: {made}-9. Reason: Step not found.",
        "4",
    ]
    rows = crane.json("cacct", "-j", str(made))["job_info_list"][0]["step_info_list"]
    assert [(row["step_id"], row["status"]) for row in rows] == [(0, "Completed"), (1, "Completed"), (2, "Cancelled")]
    refused = crane.run("ccancel", f"{made}.2", code=4)
    assert "already ended" in refused.stdout + refused.stderr


def test_commands_work_inside_a_job(crane: Cluster) -> None:
    said = job(
        crane, 'id=$(cbatch --parsable --wrap "exit 4"); cbatch --wait -d afternotok:$id --wrap true; cqueue -N'
    )[1]
    assert said.splitlines()[0].startswith("Job id allocated: ")
