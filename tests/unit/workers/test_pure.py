"""The pure parts of the node: verdicts, environments, exit journals, frames, reports."""

import errno
import os
import pathlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_celery.model.job import JobSpec
from crane_celery.model.states import State
from crane_celery.surroundings import to_submit
from crane_celery.wire.launch import Launch
from crane_celery.wire.link import Hangup, Link, encode
from workers.agent import environment
from workers.agent.environment import Place
from workers.agent.outcome import judge
from workers.agent.reporter import to_report
from workers.common import exit_journal
from workers.shepherd.records import of_task

PLACE = Place("n1", "main", "/run/g", "/run/s", "/opt/bin", True)


@pytest.mark.parametrize(
    ("facts", "state", "code"),
    [
        ((0, "", 0, ""), State.COMPLETED, 0),
        ((3, "", 0, ""), State.FAILED, 3),
        ((-9, "", 0, ""), State.FAILED, 265),
        ((-9, "oom", 0, ""), State.OOM, 265),
        ((0, "cancel", 0, ""), State.CANCELLED, 320),
        ((-15, "limit", 0, ""), State.TIMEOUT, 325),
        ((None, "", 0, ""), State.FAILED, 350),
        ((None, "cwd", errno.ENOENT, "x"), State.FAILED, 323),
        ((None, "output", errno.EACCES, "x"), State.FAILED, 321),
        ((None, "exec", errno.ENOENT, "x"), State.FAILED, 327),
        ((None, "spawn", errno.E2BIG, "x"), State.FAILED, 324),
        ((None, "cgroup", 0, "x"), State.FAILED, 322),
        ((None, "rpc", 0, "x"), State.FAILED, 328),
        ((None, "prolog", 0, "x"), State.FAILED, 329),
        ((None, "input", errno.ENOENT, "x"), State.FAILED, 323),
        ((None, "input", errno.EACCES, "x"), State.FAILED, 321),
        ((None, "cwd", errno.EACCES, "x"), State.FAILED, 323),
        ((None, "output", errno.EROFS, "x"), State.FAILED, 321),
        ((-15, "stale", 0, ""), State.FAILED, 326),
        ((-15, "deadline", 0, ""), State.DEADLINE, 330),
    ],
)
def test_verdicts(facts: tuple[int | None, str, int, str], state: State, code: int) -> None:
    verdict = judge(*facts)
    assert (verdict.state, verdict.code) == (state, code)


def test_environment_of_an_array_element() -> None:
    spec = JobSpec(name="a", uid=1, gid=1, user="u", memory=1 << 30, array="1-7:2", time_limit=90, partition="main")
    launch = Launch(10, 2, 12, 2, 5, 4, 1.0, 1 << 30, {"gpu:a": (1, 0)}, ("n1", "n2"))
    shared = environment.of_job(spec, 10, {"A": "b", "CRANE_NODE": "n9", "PATH": "/bin"}, PLACE, {"HOME": "/h"})
    made = {**shared, **environment.of_run(launch, spec, PLACE, 100.0)}
    wanted = {
        "CRANE_JOB_ID": "12", "CRANE_ARRAY_JOB_ID": "10", "CRANE_ARRAY_TASK_ID": "5", "CRANE_ARRAY_TASK_COUNT": "4",
        "CRANE_ARRAY_TASK_MIN": "1", "CRANE_ARRAY_TASK_MAX": "7", "CRANE_ARRAY_TASK_STEP": "2", "A": "b", "HOME": "/h",
        "CRANE_RESTART_COUNT": "1", "CRANE_JOB_NODELIST": "n1;n2", "CUDA_VISIBLE_DEVICES": "0,1", "CRANE_GPUS": "2",
        "CRANE_TIMELIMIT": "00:01:30", "CRANE_MEM_PER_NODE": "1024M", "CRANE_CPUS_PER_TASK": "1",
        "SLURM_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "5", "PATH": "/opt/bin:/bin", "CRANE_PRIMARY_STEP_ID": "1",
        "CRANE_JOB_END_TIME": "190000000000",
    }  # fmt: skip
    assert {name: made.get(name) for name in wanted} == wanted
    assert "CRANE_NODE" not in made


def test_a_first_run_has_no_restart_count_and_nothing_of_the_job_that_submitted_it() -> None:
    outer = {
        "CRANE_RESTART_COUNT": "4", "CRANE_ARRAY_TASK_ID": "7", "CRANE_ARRAY_JOB_ID": "9", "CRANE_JOB_DEPENDENCY": "x",
        "CRANE_JOB_END_TIME": "1", "CRANE_GPUS": "2", "SLURM_RESTART_COUNT": "4", "SLURM_ARRAY_TASK_ID": "7", "A": "b",
        "CRANE_STEP_ID": "3", "CUDA_VISIBLE_DEVICES": "0",
    }  # fmt: skip
    spec = JobSpec(name="a", uid=1, gid=1, user="u", memory=1 << 30)
    launch = Launch(10, 0, 10, 1, None, 1, 1.0, 1 << 30, {}, ("n1",))
    made = {
        **environment.of_job(spec, 10, to_submit({**outer, "CRANE_JOB_ID": "9"}), PLACE, {}),
        **environment.of_run(launch, spec, PLACE, 100.0),
    }
    assert made.keys() & outer.keys() == {"A"}


def test_every_variable_of_the_reference() -> None:
    spec = JobSpec(
        name="a", uid=1, gid=1, user="u", memory=3 << 30, nodes=1, ntasks=3, cpus_per_task=2.0, account="acc", qos="q",
        partition="main", time_limit=3600, submit_dir="/s", submit_host="h", dependency="afterok:3",
        asked={"cpus_per_task": "2"},
    )  # fmt: skip
    launch = Launch(10, 0, 10, 1, None, 1, 6.0, 3 << 30, {"gpu": (0,)}, ("n1",))
    made = {**environment.of_job(spec, 10, {}, PLACE, {}), **environment.of_run(launch, spec, PLACE, 100.0)}
    wanted = {
        "CRANE_JOB_ID": "10", "CRANE_JOB_NAME": "a", "CRANE_JOB_ACCOUNT": "acc", "CRANE_JOB_PARTITION": "main",
        "CRANE_JOB_QOS": "q", "CRANE_JOB_NODELIST": "n1", "CRANE_JOB_NUM_NODES": "1", "CRANE_NTASKS": "3",
        "CRANE_NTASKS_PER_NODE": "3", "CRANE_CPUS_PER_TASK": "2", "CRANE_MEM_PER_NODE": "3072M",
        "CRANE_MEM_PER_CPU": "512", "CRANE_GPUS": "1", "CRANE_CPUS_ON_NODE": "6", "CRANE_NODEID": "0",
        "CRANE_PROCID": "0", "CRANE_PROC_ID": "0", "CRANE_SUBMIT_DIR": "/s", "CRANE_SUBMIT_HOST": "h",
        "CRANE_CLUSTER_NAME": "main", "CRANE_TIMELIMIT": "01:00:00", "CRANE_JOB_END_TIME": "3700000000000",
        "CRANE_JOB_DEPENDENCY": "afterok:3", "CUDA_VISIBLE_DEVICES": "0", "NVIDIA_VISIBLE_DEVICES": "0",
        "SLURM_JOB_DEPENDENCY": "afterok:3", "SLURM_JOB_ACCOUNT": "acc", "SLURM_CPUS_PER_TASK": "2",
        "SLURM_MEM_PER_NODE": "3072", "SLURM_JOBID": "10", "SLURMD_NODENAME": "n1", "SLURM_NODELIST": "n1",
        "SLURM_WORKING_DIR": "/s", "SLURM_STEP_NUM_TASKS": "3", "SLURM_CPU_BIND_TYPE": "none", "SLURM_GTIDS": "0",
    }  # fmt: skip
    assert {name: made.get(name) for name in wanted} == wanted
    plain = environment.of_job(spec, 10, {}, PLACE._replace(slurm=False), {})
    assert not [name for name in plain if name.startswith("SLURM")]


def test_a_prolog_is_told_nothing_that_its_user_has_chosen_a_name_for() -> None:
    spec = JobSpec(name="n", uid=5, gid=6, user="ada", memory=1 << 30, array="3-5", cwd="/w")
    made = environment.of_hooks(spec, 10, PLACE)
    assert made["CRANE_JOB_USER"] == "ada" and made["CRANE_JOB_UID"] == "5" and made["CRANE_NODE_NAME"] == "n1"
    assert made["CRANE_ARRAY_JOB_ID"] == made["SLURM_ARRAY_JOB_ID"] == "10"
    assert made["PATH"].startswith("/usr/local/sbin:")


def test_a_task_of_a_step_knows_its_rank_by_both_names() -> None:
    assert of_task(3, 2, slurm=False) == {"CRANE_STEP_ID": "3", "CRANE_PROCID": "2", "CRANE_PROC_ID": "2"}
    assert {"SLURM_PROCID": "2", "SLURM_STEP_ID": "1"}.items() <= of_task(3, 2, slurm=True).items()


def test_exit_journal(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "exits"
    text = exit_journal.started("1.1.1.0", 5, 6, 7.0) + exit_journal.exited("1.1.1.0", -9, 8.0)
    text += exit_journal.failed("2.1.1.0", "exec", 2, 9.0, "no\nsuch file") + exit_journal.started("3.1.1.0", 1, 2, 3.0)
    path.write_bytes(text + b"x 3.1.1.0 0")
    known = exit_journal.read(str(path))
    assert known["1.1.1.0"].status == -9 and known["1.1.1.0"].pid == 5
    assert known["2.1.1.0"].text == "no such file" and known["2.1.1.0"].over
    assert not known["3.1.1.0"].over
    assert exit_journal.read(str(tmp_path / "none")) == {}


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=5), st.integers(1, 50))
def test_frames_survive_any_cut(messages: list[dict[str, str]], cut: int) -> None:
    left, right = socket.socketpair()
    link = Link(right)
    data = b"".join(encode(message) for message in messages)
    got = []
    for at in range(0, len(data), cut):
        left.sendall(data[at : at + cut])
        got += link.receive()
    left.close()
    assert got == messages
    with pytest.raises(Hangup):
        link.receive()
    link.close()


def test_descriptors_come_with_their_frame() -> None:
    left, right = (Link(sock) for sock in socket.socketpair())
    read, write = os.pipe()
    left.send({"n": 1}, [write])
    left.send({"n": 2})
    assert [message["n"] for message in right.receive()] == [1, 2]
    (got,) = right.take_fds(1)
    os.write(got, b"x")
    assert os.read(read, 1) == b"x"
    with pytest.raises(Hangup):
        right.take_fds(1)
    for fd in (read, write, got):
        os.close(fd)
    left.close()
    right.close()


def test_begin_and_end_in_one_report() -> None:
    rows = [
        [1, "b", 5, 1, 10.0], [2, "b", 6, 1, 11.0], [3, "e", 5, 1, 0, "", 10.0, 12.0, 0.5, 9, 0, ""],
        [4, "s", 6, 1, 2, "x", 1, 1.0, 0, "x y", None, "", 11.0, 0.0, 0.0, 0, False, 0, ""],
    ]  # fmt: skip
    report = to_report(rows, 100.0)
    assert [(began.id, began.at) for began in report.began] == [(6, 111.0)]
    assert [(end.id, end.state, end.began_at, end.ended_at) for end in report.ended] == [(5, "Completed", 110.0, 112.0)]
    assert report.steps[0].state == State.RUNNING and report.steps[0].began_at == 111.0


def test_a_line_of_an_exit_journal_without_a_time_is_passed_over(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "exits"
    path.write_bytes(b"s 1.1.1.0 7 8 nan\nx 1.1.1.0 0 inf\ns 2.1.1.0 7 8 9.5\n")
    assert list(exit_journal.read(str(path))) == ["2.1.1.0"]
