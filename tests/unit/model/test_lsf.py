"""``#BSUB`` lines in our words."""

import shlex

import pytest

from crane_celery.errors import CraneError
from crane_celery.model.fields.lsf import translate


def lsf_words(line: str) -> list[str]:
    return list(translate(tuple(shlex.split(line))))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-U night", "-U of LSF is not supported yet: there are no reservations"),
        ("-w 'done(1)'", "-w of LSF is not supported yet: write #CBATCH --dependency"),
        ("-R 'order[mem]'", "order[...] of LSF is not supported yet: of -R there are select, rusage and span"),
        ("-R 'select[mem>4000]'", "select 'mem>4000' of LSF is not supported yet: name features"),
        ("-R 'rusage[swp=4]'", "rusage 'swp=4' of LSF is not supported yet: of it there are mem"),
        ("-R 'rusage[mem]'", "rusage 'mem' has no value: write mem=N"),
        ("-R 'span[block=4]'", "span 'block=4' of LSF is not supported yet: write span[hosts=1]"),
        ("-gpu num=2:mps=yes", "-gpu 'mps=yes' of LSF is not supported yet"),
        ("-n4", "unknown option '-n4'; write a blank before the value: -n '4'"),
        ("-V", "-V is an action"),
        ("stray", "'stray' is no option"),
    ],
)
def test_options_of_lsf_are_taken_by_their_whole_name(line: str, says: str) -> None:
    with pytest.raises(CraneError) as caught:
        lsf_words(line)
    assert str(caught.value).startswith(says)


def test_values_of_lsf() -> None:
    words = lsf_words("-o out.%J.%I -e %%J -M 4GB -W 90 -cwd /x -J 'a[1-4]%2' -env all")
    assert words[:5] == ["--output=out.%A.%I", "--error=%%J", "--mem=4GB", "--time=90", "--chdir=/x"]
    assert words[5:] == ["--array=1-4%2", "--job-name=a", "--export=ALL"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-P proj -nnodes 2", ["--account=proj", "--nodes=2"]),
        ("-oo a.%J -eo b", ["--output=a.%A", "--open-mode=truncate", "--error=b", "--open-mode=truncate"]),
        ("-r", ["--requeue"]),
        ("-rn -x -H -q long", ["--no-requeue", "--exclusive", "--hold", "--partition=long"]),
        ("-alloc_flags 'smt4 nvme'", ["--alloc-flags=smt4 nvme"]),
        ("-u me@x", ["--mail-user=me@x"]),
        ("-N", ["--mail-type=END"]),
        ("-gpu num=2", ["--gpus-per-node=2"]),
        ("-gpu -", ["--gpus-per-node=1"]),
        ("-gpu num=4:gmodel=a100:mode=exclusive_process:j_exclusive=yes", ["--gpus-per-node=a100:4"]),
        ("-n 4", ["--ntasks-per-node=4"]),
        ("-n 8 -R 'span[ptile=4]'", ["--ntasks=8", "--ntasks-per-node=4"]),
        ("-n 8 -R 'span[hosts=1]'", ["--ntasks=8", "--nodes=1"]),
        ("-R 'rusage[mem=4GB:ngpus_physical=1]'", ["--mem=4GB", "--gpus-per-node=1"]),
        ("-R 'select[gpu && big] rusage[mem=500]'", ["--constraint=gpu&big", "--mem=500"]),
        ("-R 'select[type==any]'", []),
        ("-R 'a || b'", ["--constraint=a|b"]),
    ],
)
def test_what_acts_of_lsf(line: str, words: list[str]) -> None:
    assert lsf_words(line) == words


def test_what_stands_on_another_line_counts() -> None:
    everything = ("-n", "8", "-R", "span[ptile=2]", "-B", "-N")
    assert translate(("-n", "8"), everything) == ("--ntasks=8",)
    assert translate(("-B",), everything) == ("--mail-type=BEGIN,END",)
