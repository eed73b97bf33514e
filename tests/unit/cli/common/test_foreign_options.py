"""Hints of options: what means the same, or nothing."""

import pytest

from cli import cacct, cbatch, cqueue
from cli.common import foreign_options
from crane_celery.errors import InputError, NotSupported
from crane_celery.grammar.memory import format_size


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("--walltime=1", "--time"),
        ("--queue", "--partition"),
        ("--working-directory=x", "--chdir"),
        ("--ntaks=2", "--ntasks"),
        ("--exlcusive", "--exclusive"),
        ("--dependancy=x", "--dependency"),
        ("--MEM=1", "--mem"),
    ],
)
def test_a_slip_or_another_name_is_met(word: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"unknown option '{word.partition('=')[0]}'; did you mean '{meant}'"):
        cbatch.parser().parse([word])


@pytest.mark.parametrize(
    "word",
    [
        *(
            "--ntasks-per-core=1",
            "--nodefile=x",
        ),
        *("--mincpus=2", "--thread-spec=1", "--core-spec=1"),
        *("--gpus-per-socket=1", "--container=x", "--gid=1", "--uid=1", "--frobnicate", "--x"),
        *("--include=x", "--prefer=x", "--kill-on-bad-exit", "--tres-per-task=x", "--bogus=1"),
    ],
)
def test_what_means_something_else_is_no_hint(word: str) -> None:
    with pytest.raises((InputError, NotSupported)) as caught:
        cbatch.parser().parse([word])
    name = word.partition("=")[0]
    assert caught.value.message.startswith((f"unknown option {name!r}", f"{name} of Slurm is not supported yet"))
    assert "did you mean" not in caught.value.message


def test_hints_are_of_the_command_at_hand() -> None:
    for parser, word, meant in (
        (cqueue.parser(), "--me", "--self"),
        (cqueue.parser(), "--users", "--user"),
        (cacct.parser(), "--starttime", "--start-time"),
    ):
        with pytest.raises(InputError, match=f"did you mean '{meant}'"):
            parser.parse([word])


def test_distances() -> None:
    pairs = (("a", "a", 0), ("ab", "ba", 1), ("abc", "ac", 1), ("", "abc", 3), ("kitten", "sitting", 3))
    assert [foreign_options.distance(one, other) for one, other, _ in pairs] == [number for *_, number in pairs]


def test_sizes_in_sentences() -> None:
    shown = [format_size(size) for size in (0, 1, 1500, 1024, 131071, 1 << 20, 4 << 30, (1 << 24) + 1)]
    assert shown == ["0 bytes", "1 bytes", "1500 bytes", "1K", "127K", "1M", "4096M", "16M"]
    assert [format_size(size, up=True) for size in (131073, (1 << 24) + 1)] == ["129K", "17M"]
