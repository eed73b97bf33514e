"""Scripts know the tables of states and codes, each as lifecycle has it, and no other ones."""

import re

import pytest

from crane_celery.model.states import HOLDING, WORST, State
from crane_celery.store import scripts
from crane_celery.store.lua_tables import tables
from crane_celery.store.scripts import part, script


def test_a_script_gets_the_tables_that_it_uses() -> None:
    assert tables("if MAY_RESUME[state] then end") == "local MAY_RESUME = { Suspended = true }"
    assert tables("local x = 1") == ""


def test_the_end_may_come_to_whatever_holds_an_allocation() -> None:
    assert set(re.findall(r"(\w+) = true", tables("MAY_END"))) == {str(state) for state in HOLDING}


def test_a_worse_state_has_a_higher_rank() -> None:
    ranks = dict(re.findall(r"(\w+) = (\d+)", tables("WORSE")))
    assert sorted(ranks, key=lambda name: -int(ranks[name])) == [str(state) for state in WORST]


@pytest.mark.parametrize("verb", sorted(path.stem for path in scripts._FOLDER.glob("*.lua")))
def test_no_script_has_a_table_of_states_of_its_own(verb: str) -> None:
    states = "|".join(State)
    own = rf"\{{ *(?:{states}) = [^}}]*\}}"
    made = tables(script(verb).source).splitlines()
    assert re.findall(own, "\n".join(line for line in script(verb).source.splitlines() if line not in made)) == []
    assert re.findall(own, part("ends")) == []
