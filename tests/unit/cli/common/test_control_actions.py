"""`ccontrol ACTION --help`: every action, with the keys that the gateway takes."""

import pytest

from cli.ccontrol import _ACTIONS, _SHOWN
from cli.common import control_actions
from cli.common.control_words import changes
from crane_celery.service.control.update_keys import NAMES
from tests.unit.cli.support import Shell


def test_the_keys_are_those_that_the_gateway_takes() -> None:
    assert tuple(control_actions.JOB_KEYS) == NAMES


def test_the_actions_are_those_that_there_are() -> None:
    assert set(control_actions.ACTIONS) == set(_ACTIONS) - {"holdu", "uhold"}
    assert set(_SHOWN) <= set(control_actions.SHOWN)


@pytest.mark.parametrize("action", control_actions.ACTIONS)
@pytest.mark.parametrize("words", [("{}", "--help"), ("{}", "12", "-h"), ("help", "{}"), ("--json", "{}", "--help")])
def test_an_action_says_what_it_takes(shell: Shell, action: str, words: tuple[str, ...]) -> None:
    said = shell("ccontrol", *(word.format(action) for word in words))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"usage: ccontrol {action} ") and f"  ccontrol {action} " in said.out
    assert all(f"  {key} " in said.out for key in control_actions.ACTIONS[action].keys)
    assert max(map(len, said.out.splitlines())) <= 120


def test_a_name_of_slurms_is_the_same_action(shell: Shell) -> None:
    assert shell("ccontrol", "UHOLD", "--help").out == shell("ccontrol", "hold", "--help").out


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",), ("help", "nonsense"), ("nonsense", "--help")])
def test_help_without_an_action_is_the_commands(shell: Shell, words: tuple[str, ...]) -> None:
    said = shell("ccontrol", *words)
    assert said.code == 0 and said.out.startswith("usage: ccontrol [options] ACTION") and "requeuehold IDS" in said.out


def test_help_as_a_value_is_a_value() -> None:
    assert changes(["jobid=1", "comment=--help"]) == ("job", "1", {"comment": "--help"})
    assert control_actions.asked(["update", "jobid=1", "comment=--help"]) == ""


def test_examples_are_what_the_parser_takes() -> None:
    import shlex

    for name, action in control_actions.ACTIONS.items():
        for example in action.examples:
            verb, *words = shlex.split(example)
            assert verb == name
            if name == "update":
                assert changes(words)[0] in ("job", "node")
