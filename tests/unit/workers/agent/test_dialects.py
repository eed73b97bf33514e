"""Variables of Slurm and LSF: which there are, and in which form."""

from typing import Any

import pytest

from crane_celery.grammar.number import plain
from crane_celery.model.job import JobSpec
from crane_celery.wire.launch import Launch
from workers.agent import environment
from workers.agent.dialects import folded, listed, tasks_on_each
from workers.agent.environment import Place
from workers.shepherd.records import of_step

GIB = 1 << 30
PLACE = Place("n1", "main", "/run/g", "/run/s", "", False)


def spec_of(**fields: Any) -> JobSpec:
    """A job of ada's."""
    known: dict[str, Any] = {"name": "fit", "uid": 5, "gid": 6, "user": "ada", "memory": 4 * GIB, "partition": "main"}
    return JobSpec(**{**known, **fields})


def made(spec: JobSpec, nodes: tuple[str, ...] = ("n1",), **changes: Any) -> dict[str, str]:
    """All variables of a first run."""
    index = changes.get("array_index")
    launch = Launch(10, 0, 12 if index is not None else 10, 1, index, 1, spec.cpus_per_node, spec.memory, {}, nodes)
    launch = launch._replace(**changes)
    shared = environment.of_job(spec, 10, {}, PLACE, {"USER": "ada"}, launch.memory)
    return {**shared, **environment.of_run(launch, spec, PLACE, 1000.5)}


def test_each_dialect_brings_its_own_variables_and_ours_are_always_there() -> None:
    for dialect, slurm, lsf in (("", 0, 0), ("slurm", 1, 0), ("lsf", 0, 1), ("lsf,slurm", 1, 1)):
        found = made(spec_of(dialect=dialect))
        assert found["CRANE_JOB_ID"] == "10"
        assert (found.get("SLURM_JOB_ID"), found.get("LSB_JOBID")) == ((slurm and "10") or None, (lsf and "10") or None)
        assert any(name.startswith("SLURM") for name in found) == bool(slurm)
        assert any(name.startswith("LS") for name in found) == bool(lsf)


def test_slurms_variables() -> None:
    asked = {
        "ntasks": "3", "cpus_per_task": "2", "mem": "4G", "gpus": "2", "open_mode": "append", "distribution": "block",
        "ntasks_per_node": "2",
    }  # fmt: skip
    spec = spec_of(
        dialect="slurm", nodes=2, ntasks=3, ntasks_per_node=2, cpus_per_task=2.0, asked=asked, time_limit=60,
        account="phys", qos="high", open_mode="append", submit_dir="/s", submit_host="login", licenses="a:1",
        dependency="afterok:3", gres={"gpu": 1},
    )  # fmt: skip
    found = made(spec, ("n1", "n2"), gres={"gpu": (1,)})
    wanted = {
        "SLURM_JOB_ID": "10", "SLURM_JOBID": "10", "SLURM_JOB_NAME": "fit", "SLURM_JOB_PARTITION": "main",
        "SLURM_JOB_ACCOUNT": "phys", "SLURM_JOB_QOS": "high", "SLURM_JOB_USER": "ada", "SLURM_JOB_UID": "5",
        "SLURM_JOB_GID": "6", "SLURM_NODELIST": "n[1-2]", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NNODES": "2",
        "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "3", "SLURM_NPROCS": "3", "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_TASKS_PER_NODE": "2,1", "SLURM_CPUS_PER_TASK": "2", "SLURM_CPUS_ON_NODE": "4",
        "SLURM_JOB_CPUS_PER_NODE": "4(x2)", "SLURM_MEM_PER_NODE": "4096", "SLURM_SUBMIT_DIR": "/s",
        "SLURM_SUBMIT_HOST": "login", "SLURM_CLUSTER_NAME": "main", "SLURM_JOB_START_TIME": "1000",
        "SLURM_JOB_END_TIME": "1060", "SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
        "SLURM_GPUS": "2", "SLURM_JOB_GPUS": "1", "SLURM_GPUS_ON_NODE": "1", "SLURM_OPEN_MODE": "a",
        "SLURM_DISTRIBUTION": "block", "SLURM_JOB_LICENSES": "a:1", "SLURM_JOB_DEPENDENCY": "afterok:3",
        "SLURMD_NODENAME": "n1", "ENVIRONMENT": "BATCH", "SLURM_PRIO_PROCESS": "0", "SLURM_WORKING_DIR": "/s",
        "SLURM_TOPOLOGY_ADDR": "n1", "SLURM_TOPOLOGY_ADDR_PATTERN": "node", "SLURM_GTIDS": "0",
    }  # fmt: skip
    assert {name: value for name, value in found.items() if name.startswith("SLURM")} == {
        name: value for name, value in wanted.items() if name.startswith("SLURM")
    }
    assert found["ENVIRONMENT"] == "BATCH"


def test_what_was_not_asked_for_is_not_said() -> None:
    found = made(spec_of(dialect="slurm"))
    for name in (
        *("NTASKS", "NPROCS", "NTASKS_PER_NODE", "CPUS_PER_TASK", "GPUS", "JOB_GPUS", "JOB_ACCOUNT"),
        *("ARRAY_JOB_ID", "ARRAY_TASK_ID", "RESTART_COUNT", "MEM_PER_CPU", "JOB_DEPENDENCY", "STEP_ID"),
    ):
        assert f"SLURM_{name}" not in found
    assert found["SLURM_TASKS_PER_NODE"] == "1"


def test_the_end_of_a_job() -> None:
    for fields, end in (({}, 1000 + 365 * 86400), ({"time_limit": 60}, 1060), ({"deadline": 1010.5}, 1010)):
        assert made(spec_of(dialect="slurm", **fields))["SLURM_JOB_END_TIME"] == str(end)


def test_an_array_in_both() -> None:
    spec = spec_of(dialect="lsf,slurm", array="1-7:2", ntasks=3, nodes=2, submit_dir="/s", asked={"mem_per_cpu": "2G"})
    found = made(spec, ("n1", "n2"), array_index=5, run=3)
    wanted = {
        "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "5", "SLURM_JOB_ID": "12", "SLURM_ARRAY_TASK_COUNT": "4",
        "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_STEP": "2",
        "SLURM_RESTART_COUNT": "2", "SLURM_MEM_PER_CPU": "2048",
        "LSB_JOBID": "10", "LSB_JOBINDEX": "5", "LSB_JOBINDEX_END": "7", "LSB_JOBINDEX_STEP": "2",
        "LSB_BATCH_JID": "10[5]", "LSB_JOBNAME": "fit[5]", "LSB_QUEUE": "main", "LSB_HOSTS": "n1 n1 n2",
        "LSB_MCPU_HOSTS": "n1 2 n2 1", "LSB_DJOB_NUMPROC": "3", "LS_SUBCWD": "/s", "LSB_SUBCWD": "/s",
        "LSB_RESTART": "Y", "LSFUSER": "ada",
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert "SLURM_MEM_PER_NODE" not in found


def test_a_plain_job_of_lsf() -> None:
    found = made(spec_of(dialect="lsf", account="p"))
    wanted = {"LSB_JOBID": "10", "LSB_JOBINDEX": "0", "LSB_JOBNAME": "fit", "LSB_BATCH_JID": "10"}
    wanted |= {"LSB_HOSTS": "n1", "LSB_MCPU_HOSTS": "n1 1", "LSB_PROJECT_NAME": "p", "LSB_RESTART": "N"}
    assert {name: found.get(name) for name in wanted} == wanted


def test_the_old_key_forces_slurms_variables_and_what_cranesched_adds() -> None:
    found = environment.of_job(spec_of(ntasks=2), 10, {}, PLACE._replace(slurm=True), {})
    assert (found["SLURM_STEP_NUM_TASKS"], found["SLURM_CPU_BIND_TYPE"]) == ("2", "none")


def test_cpus_that_differ_by_node_and_all_memory() -> None:
    spec = spec_of(dialect="slurm", nodes=3, ntasks=3, exclusive=True, whole_memory=True)
    found = made(spec, ("n1", "n2", "n3"), cpus=8.0, cpus_each=(8.0, 4.0, 4.0), memory=32 * GIB)
    assert (found["SLURM_JOB_CPUS_PER_NODE"], found["SLURM_CPUS_ON_NODE"]) == ("8,4(x2)", "8")
    assert (found["SLURM_MEM_PER_NODE"], found["CRANE_MEM_PER_NODE"]) == ("32768", "32768M")


@pytest.mark.parametrize(
    ("nodes", "ntasks", "per_node", "expected"),
    [
        (1, 1, 0, "1"),
        (2, 3, 0, "2,1"),
        (2, 8, 0, "4(x2)"),
        (3, 5, 3, "3,2,0"),
        (3, 7, 3, "3(x2),1"),
        (3, 5, 0, "2(x2),1"),
    ],
)
def test_tasks_by_node(nodes: int, ntasks: int, per_node: int, expected: str) -> None:
    assert folded(tasks_on_each(spec_of(nodes=nodes, ntasks=ntasks, ntasks_per_node=per_node))) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [(("n1", "n2", "n4"), "n[1-2,4]"), (("n2", "n1"), "n2,n1"), (("a",), "a"), (("n9", "n10"), "n[9-10]")],
)
def test_node_lists_keep_their_order(nodes: tuple[str, ...], expected: str) -> None:
    assert listed(nodes) == expected


def test_fractions_are_rounded_up_where_slurm_knows_whole_cpus_only() -> None:
    found = made(spec_of(dialect="slurm", cpus_per_task=0.5, asked={"cpus_per_task": "0.5"}))
    names = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE", "SLURM_JOB_CPUS_PER_NODE", "CRANE_CPUS_PER_TASK")
    assert [found[name] for name in names] == ["1", "1", "1", "0.50"]


def test_numbers_fit_for_a_shells_arithmetic() -> None:
    assert [plain(value) for value in (1.0, 4, 0.5, 1.25, 2000000.0)] == ["1", "4", "0.50", "1.25", "2000000"]


def test_a_step_in_slurms_dialect() -> None:
    found = of_step({"SLURMD_NODENAME": "n1"}, 4)
    wanted = {"NTASKS": "4", "NPROCS": "4", "STEP_NUM_TASKS": "4", "STEP_TASKS_PER_NODE": "4"}
    wanted |= {"STEP_NUM_NODES": "1", "STEP_NODELIST": "n1"}
    assert found == {f"SLURM_{name}": value for name, value in wanted.items()}
