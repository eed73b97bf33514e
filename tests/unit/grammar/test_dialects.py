"""Test what a script of another system uses and will not find."""

import pytest

from crane_celery.grammar.dialects import VARIABLES, not_provided, not_set
from crane_celery.model.job import JobSpec
from crane_celery.wire.launch import Launch
from workers.agent import environment
from workers.agent.environment import Place
from workers.shepherd.records import of_step, of_task


def test_the_lists_are_what_a_node_makes() -> None:
    asked = dict.fromkeys(
        ("ntasks", "ntasks_per_node", "cpus_per_task", "mem", "gpus", "gpus_per_node", "threads_per_core"), "1"
    ) | dict.fromkeys(("distribution", "open_mode", "wckey", "get_user_env"), "1")
    spec = JobSpec(
        name="a", uid=1, gid=1, user="u", memory=1 << 30, array="1-7", time_limit=90, partition="main", dependency="x",
        account="a", qos="q", licenses="l:1", dialect="lsf,slurm", asked=asked, submit_dir="/s", submit_host="h",
    )  # fmt: skip
    launch = Launch(10, 2, 12, 2, 5, 4, 1.0, 1 << 30, {"gpu:a": (1, 0)}, ("n1",))
    place = Place("n1", "main", "/g", "/s", "", True)
    found = {**environment.of_job(spec, 10, {}, place, {}), **environment.of_run(launch, spec, place, 100.0)}
    found |= {**of_step({}, 1), **of_task(2, 0, slurm=True), "SLURM_MEM_PER_CPU": ""}
    made = {name for name in found if name.startswith(("SLURM", "LS"))}
    assert made == set(VARIABLES["slurm"].split()) | set(VARIABLES["lsf"].split())


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo $SLURM_JOB_ID ${SLURM_NTASKS:-1}\n# srun $SLURM_X\n", ""),
        ("echo $SLURM_TASK_PID ${SLURM_HINT}\n", "no variables SLURM_TASK_PID, SLURM_HINT"),
        ("srun ./a | tee x\n", "no commands srun (use crun)"),
        ("x=$(scontrol show hostnames)\nif a; then sbcast b; fi\n", "no commands scontrol (use ccontrol), sbcast"),
        ("python -c 'import os; os.environ[\"SLURM_HINT\"]'\n", "no variables SLURM_HINT"),
        ("export SLURM_HINT=1\necho $SLURM_HINT\n", ""),
        ("echo $SLURM_MINE my_srun srun_x\n", ""),
        ("squeue -u me\n", ""),
    ],
)
def test_what_slurm_scripts_use(script: str, says: str) -> None:
    notice = not_provided(script, ["slurm"], {"SLURM_MINE"}, {"squeue"})
    assert notice == (f"the script uses what is not there: {says}" if says else "")


def test_what_lsf_scripts_use() -> None:
    notice = not_provided("cat $LSB_DJOB_HOSTFILE; blaunch x\nbsub < y\necho $LSB_JOBINDEX", ["lsf"], {}, {})
    assert notice == (
        "the script uses what is not there: no variables LSB_DJOB_HOSTFILE; no commands bsub (use cbatch), blaunch"
    )


_OWN = "only scripts with #{} lines have {}'s variables: write CRANE_*, or add such a line"
_NATIVE = _OWN.format("SBATCH", "Slurm")


@pytest.mark.parametrize(
    ("script", "spoken", "says"),
    [
        ("cd $SLURM_SUBMIT_DIR\necho ${SLURM_ARRAY_TASK_ID}\n", [],
         f"SLURM_SUBMIT_DIR, SLURM_ARRAY_TASK_ID; {_NATIVE}"),
        ("cd $SLURM_SUBMIT_DIR\n", ["slurm"], ""),
        ("x=${SLURM_CPUS_PER_TASK:-1} y=${SLURM_X-} z=${SLURM_Y:+z}\n", [], ""),
        ("if [ -n \"${SLURM_JOB_ID:-}\" ]; then echo $SLURM_JOB_ID; fi\n", [], ""),
        ("python -c 'import os; os.environ[\"SLURM_PROCID\"]; os.environ.get(\"SLURM_X\", 1)'\n", [],
         f"SLURM_PROCID; {_NATIVE}"),
        ("# $SLURM_JOB_ID\necho $MY_SLURM_X $SLURM_MINE $LS_COLORS $PBSX $SLURM\n", [], ""),
        ("SLURM_NTASKS=$CRANE_NTASKS\nexport SLURM_JOB_ID=1\necho $SLURM_NTASKS $SLURM_JOB_ID\n", [], ""),
        ("echo $LSB_JOBINDEX", ["slurm"], f"LSB_JOBINDEX; {_OWN.format('BSUB', 'LSF')}"),
        ("cd $PBS_O_WORKDIR", [], "PBS_O_WORKDIR; there are no variables of PBS: write CRANE_*"),
        ("x=$SGE_TASK_ID", [], "SGE_TASK_ID; there are no variables of SGE: write CRANE_*"),
    ],
)  # fmt: skip
def test_what_other_systems_variables_are_not_set(script: str, spoken: list[str], says: str) -> None:
    assert not_set(script, spoken, {"SLURM_MINE", "LS_COLORS"}) == ([f"the script reads {says}"] if says else [])
