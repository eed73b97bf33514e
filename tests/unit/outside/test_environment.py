"""Every variable that a command reads takes an extreme value or is refused by its name; nothing else comes out."""

import pytest

from crane_celery.errors import InputError
from crane_celery.surroundings import seconds
from tests.unit.cli.support import Shell
from tests.unit.outside.extremes import ALL
from tests.unit.outside.test_options import clean

_STEP = ("crun", "-o", "%J.%j.%A.%a.%x.%u", "true")
_BATCH = ("cbatch", "--wrap", "x")
#: a variable, and commands that read it
READ = {
    "CRANE_CONNECT_TIMEOUT": [("cinfo",)],
    "CRANE_ANSWER_TIMEOUT": [("cinfo",), _STEP],
    "CQUEUE_ARRAY": [("cqueue",)],
    "CQUEUE_BITSTR_LEN": [("cqueue",)],
    "SLURM_BITSTR_LEN": [("cqueue",)],
    "TZ": [("cbatch", "--begin", "now+1hour", "--wrap", "x"), ("cqueue", "-S"), ("cacct", "-S", "now-1day~")],
    "COLUMNS": [("cqueue",)],
    "LINES": [("cqueue",)],
    "CRANE_JOB_NODELIST": [("ccontrol", "show", "hostnames")],
    "SLURM_JOB_NODELIST": [("ccontrol", "show", "hostnames")],
    **{name: [_STEP] for name in ("CRANE_JOB_ID", "CRANE_NTASKS", "CRANE_JOB_NUM_NODES", "CRANE_ARRAY_JOB_ID")},
    **{name: [_STEP] for name in ("CRANE_ARRAY_TASK_ID", "CRANE_RESTART_COUNT", "CRANE_JOB_NAME", "USER")},
    **{name: [_BATCH] for name in ("CBATCH_TIMELIMIT", "SBATCH_TIMELIMIT", "CBATCH_ARRAY", "SBATCH_ARRAY_INX")},
    **{name: [_BATCH] for name in ("SBATCH_NO_REQUEUE", "SBATCH_SIGNAL")},
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_of_commands(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ALL:
        monkeypatch.setenv(name, value)
        for words in READ[name]:
            clean(shell(*words), (name, value))


@pytest.mark.parametrize(
    ("text", "found"), [("", 10.0), ("0.5", 0.5), ("inf", 86400.0), ("1e308", 86400.0), ("-3", 0.1)]
)
def test_seconds_are_bounded(monkeypatch: pytest.MonkeyPatch, text: str, found: float) -> None:
    monkeypatch.setenv("CRANE_ANSWER_TIMEOUT", text)
    assert seconds("CRANE_ANSWER_TIMEOUT", 10.0, 0.1) == found


@pytest.mark.parametrize("text", ["nan", "ten", "1 2", "9" * 5000 + "x"])
def test_seconds_that_are_none_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CRANE_CONNECT_TIMEOUT", text)
    with pytest.raises(InputError, match=r"CRANE_CONNECT_TIMEOUT=.* set it to such as 10, or unset it"):
        seconds("CRANE_CONNECT_TIMEOUT", 10.0)
