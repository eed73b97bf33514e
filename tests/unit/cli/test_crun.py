"""Test how many tasks a step has, from its options and its job (reference/cranesched.md section 1.2)."""

import pytest

from cli import crun
from crane_celery.errors import CraneError, InputError, NotSupported, Refused

ONE, TWO = {"CRANE_NTASKS": "4", "CRANE_JOB_NUM_NODES": "1"}, {"CRANE_NTASKS": "4", "CRANE_JOB_NUM_NODES": "2"}


@pytest.mark.parametrize(
    ("job", "options", "tasks"),
    [
        ({}, [], 1),
        (ONE, [], 4),
        (ONE, ["-n", "2"], 2),
        (ONE, ["-N", "1"], 1),
        (ONE, ["-N", "1", "--ntasks-per-node", "3"], 3),
        (TWO, ["-N", "1"], 1),
        (TWO, ["-n", "2"], 2),
        (TWO, [], NotSupported),
        (ONE, ["-n", "0"], InputError),
        (ONE, ["-n", "100000"], Refused),
    ],
)
def test_tasks(
    monkeypatch: pytest.MonkeyPatch, job: dict[str, str], options: list[str], tasks: int | type[CraneError]
) -> None:
    """The job's environment gives what the options leave open."""
    for name in TWO:
        monkeypatch.delenv(name, raising=False)
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    given = crun.parser().parse([*options, "true"])
    if isinstance(tasks, int):
        assert crun.tasks_of(given) == tasks
    else:
        with pytest.raises(tasks):
            crun.tasks_of(given)


@pytest.mark.parametrize("words", [["./x", "--ex"], ["./x", "--no", "-v"], ["./x", "-output"], ["./x", "--", "y"]])
def test_what_follows_the_command_is_its_own(words: list[str]) -> None:
    given, rest = crun.parser().parse_own(["-n", "2", *words])
    assert (given.ntasks, rest) == (2, words)
    assert crun.parser().parse_own(["-n2", "--", *words])[1] == words


def test_no_option_of_a_step_is_taken_for_another() -> None:
    for option, error in (("--gpus=2", NotSupported), ("--mem-per=2", InputError), ("--cpus=2", InputError)):
        with pytest.raises(error, match=option.partition("=")[0]):
            crun.parser().parse_own([option, "./x"])
