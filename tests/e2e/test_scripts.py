"""Job scripts as people have them, of other systems, too: what each does here, and what it is told.

The programs that they call stand in the way of none: they print their names and arguments.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.grammar.hostlist import compress
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
_PROGRAMS = ("gmx", "bwa", "snakemake", "Rscript", "mpirun", "torchrun", "abaqus")


@pytest.fixture(scope="module")
def site() -> Iterator[Cluster]:
    """A cluster of two nodes where the programs are, and all scripts."""
    with cluster() as made:
        for name in _PROGRAMS:
            program = made.folder / "bin" / name
            program.write_text('#!/bin/sh\necho "$(basename "$0") $*"\n')
            program.chmod(0o755)
        for path in SCRIPTS.iterdir():
            shutil.copy(path, made.work)
        yield made


#: script -> its files with what is in them (JOB: its id, WORK: the directory, USER and UID: who), and its notices
RUNS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "gromacs.sh": (
        {"md_prod-JOB.out": "threads 4 mem 1024 dir WORK\ngmx mdrun -deffnm prod -ntmpi 2 -ntomp 2\n"},
        ("--mail-type, --mail-user: recorded, without effect on this cluster",),
    ),
    "nextflow.sh": (
        {".command.log": "cpus 2 of 2\n", ".exitcode": "0", ".command.out": "bwa mem -t 2 ref.fa sample_1.fq\n"},
        (),
    ),
    "snakemake.sh": ({"Crane-JOB.out": "snakemake --profile profile --jobs 1\n2\n"}, ()),
    "r_array.sh": (
        {f"fit model_JOB_{index}.out": f"Rscript --vanilla fit.R {index} 3 5 300\n" for index in (1, 3, 5)},
        (),
    ),
    "mpi.sh": (
        {"mpi.JOB": "nodes NODES 2 2,1 2(x2)\nmpirun -np 3 ./wave\nno srun\n"},
        ("mpi.sh: the script uses what is not there: no commands srun (use crun)",),
    ),
    "pytorch.sh": (
        {
            "ddp.out": "torchrun --nnodes 2 --nproc_per_node 1 --rdzv_id JOB train.py\nworld 2 rank 0.0.0 a\n",
            "ddp.err": "",
        },
        (),
    ),
    "lsf_array.sh": (
        {f"sim.JOB.{index}.out": f"JOB {index} 3 sim[{index}] main\n" for index in (1, 3)},
        (),
    ),
    "lsf_mpi.sh": (
        {"wave.JOB.0": "mpirun -np 2 -hosts NODE:2 ./wave\n2\n"},
        ("lsf_mpi.sh: the script uses what is not there: no variables LSB_DJOB_HOSTFILE",),
    ),
    "pbs.sh": (
        {"Crane-JOB.out": "done\n"},
        ("pbs.sh: lines 2, 3, 4: #PBS lines are not read here: write the options as #CBATCH or #SBATCH lines",),
    ),
    "train": ({"py.out": "2 False 3\n"}, ()),
    "late.sh": (
        {"late.out": "late\n"},
        (
            "late.sh: line 5: #SBATCH after the first command (line 4) is not read, as in Slurm: move it up",
            "late.sh: line 6: #CBATCH after the first command (line 4) is read all the same: better move it up",
            "late.sh: line 3: taken for a comment: a directive begins its line, in capitals (#CBATCH, #SBATCH, #BSUB)",
        ),
    ),
    "quoted.sh": (
        {"quoted two.out": "a b:2\n"},
        ("--comment: recorded, without effect on this cluster",),
    ),
    "bom.sh": ({"bom.out": "café \udce9\n"}, ()),
    "whole_node.sh": (
        {"whole.out": "4096 first.last@institute.example.edu long-run USER:UID 1\n"},
        ("--account, --qos: recorded, without effect on this cluster",),
    ),
    "continued.sh": ({"continued.out": "one\ntwo\n3\n"}, ()),
}


@pytest.mark.parametrize("name", RUNS)
def test_what_a_script_does(site: Cluster, name: str) -> None:
    files, notices = RUNS[name]
    said = site.run("cbatch", "--parsable", name)
    assert said.stderr.splitlines() == [f"cbatch: {notice}" for notice in notices]
    job = int(said.stdout)
    site.wait(job)
    shown = site.json("cacct", "-j", str(job), "-S", "2000-01-01")
    nodes = sorted(site.settings.nodes)
    values = {
        "JOB": str(job), "WORK": str(site.work), "UID": str(os.getuid()), "USER": "root" if not os.getuid() else "",
        "NODES": compress(nodes),
    }  # fmt: skip
    for file, expected in files.items():
        text = (site.work / expanded(file, values)).read_text(errors="surrogateescape")
        assert text.replace(nodes[0], "NODE").replace(nodes[1], "NODE") == expanded(expected, values).replace(
            nodes[0], "NODE"
        ), shown


def expanded(text: str, values: dict[str, str]) -> str:
    """The text with the words in capitals replaced."""
    for word in ("NODES", "JOB", "WORK", "USER", "UID"):
        text = text.replace(word, values[word]) if values[word] else text
    return text


def test_a_driver_submits_the_array_that_it_writes_and_is_none_itself(site: Cluster) -> None:
    job = site.submit("driver.sh")
    site.wait(job)
    first, last = (site.work / "driver.out").read_text().splitlines()
    assert last == "driver alone"
    for index in (1, 2, 3):
        assert (site.work / f"inner_{index}.out").read_text() == f"{first} {index} none inner\n"
    assert not (site.work / "~").exists()
