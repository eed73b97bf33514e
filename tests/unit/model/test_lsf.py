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
        ("-oo x", "-oo of LSF is not supported yet: write -o"),
        ("-eo x", "-eo of LSF is not supported yet"),
        ("-nnodes 2", "-nnodes of LSF is not supported yet: write -nnode N"),
        ("-P proj", "-P of LSF is not supported yet: write #CBATCH --account"),
        ('-R "rusage[mem=4]"', "-R of LSF is not supported yet"),
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
    assert words[:5] == ["--output=out.%A.%I", "--error=%%J", "--mem=4G", "--time=90", "--chdir=/x"]
    assert words[5:] == ["--array=1-4%2", "--job-name=a", "--export=ALL"]
