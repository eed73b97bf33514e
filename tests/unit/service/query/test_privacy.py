"""Test what users see of others' jobs: their command lines not, unless the site says so; usage, unless the site
says so."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from crane_celery.errors import Denied
from crane_celery.service.query.privacy import HIDDEN, KINDS, viewer

MINE: dict[str, Any] = {"uid": 1, "user": "ada", "command": "x --token a", "cpu_s": 2.5, "memory_peak": 9}
STEPS = [
    {"command": "crun --token", "cpu_s": 1.0, "memory_peak": 0, "stepid": "7.2"},
    {"command": "", "cpu_s": 0.0, "stepid": "7.0"},
]
THEIRS: dict[str, Any] = {**MINE, "uid": 2, "user": "bob", "steps": STEPS}


def test_owners_and_operators_see_all() -> None:
    rows = [MINE, THEIRS]
    assert viewer(1, KINDS, privileged=True).rows(rows) == rows
    assert viewer(1, KINDS, privileged=False).rows([MINE]) == [MINE]
    assert viewer(1, (), privileged=False).rows(rows) == rows
    assert viewer(2, KINDS, privileged=False).rows([THEIRS]) == [THEIRS]


@pytest.mark.parametrize("private", [("commands",), ("usage",), KINDS])
def test_what_is_private_is_nowhere_in_a_strangers_row(private: tuple[str, ...]) -> None:
    (seen,) = viewer(1, private, privileged=False).rows([THEIRS])
    assert THEIRS["command"] == "x --token a"
    for row in (seen, seen["steps"][0]):
        assert (row["command"] == HIDDEN) == ("commands" in private)
        assert (row["cpu_s"] is None) == ("usage" in private)
    assert ("--token" in str(seen)) == ("commands" not in private)
    assert seen["steps"][1]["command"] == ""  # nothing there, nothing hidden


@pytest.mark.parametrize("keys", [("jobid", "command"), ("jobid", "command", "uid")])
@pytest.mark.parametrize("uids", [[1, 2], [2, 2], [1, 1], []])
def test_columns_are_hidden_line_by_line(keys: tuple[str, ...], uids: list[int]) -> None:
    columns: dict[str, list[Any]] = {"jobid": list("78")[: len(uids)], "command": ["a"] * len(uids), "uid": uids}
    same = {key: column[0] for key, column in columns.items() if len(set(column)) == 1}
    each = {key: column for key, column in columns.items() if key not in same}
    seen = viewer(1, ["commands"], privileged=False).table({"count": len(uids), "same": same, "each": each}, keys)
    assert set(chain(seen["same"], seen["each"])) == set(keys)
    shown = (seen["each"].get("command") or [seen["same"].get("command")] * len(uids))[: len(uids)]
    assert shown == ["a" if uid == 1 else HIDDEN for uid in uids]


def test_what_others_used_is_refused_where_it_is_private() -> None:
    look = viewer(1, ["usage"], privileged=False)
    assert look.usage([MINE]) == [MINE]
    assert look.usage([]) == []
    with pytest.raises(Denied, match=r"bob.*Private: \[usage\]"):
        look.usage([THEIRS])
    assert viewer(1, ["commands"], privileged=False).usage([THEIRS])[0]["cpu_s"] == 2.5


def test_every_verb_that_shows_rows_goes_through_it() -> None:
    """A new one that returns what the service says would show it all."""
    text = (Path(__file__).parents[4] / "crane_celery/gateway/handlers.py").read_text()
    for use in (
        "service.query.jobs(",
        "service.query.history(",
        "service.query.arrays(",
        "service.query.steps(",
        "service.query.usage(",
        "service.query.show(",
    ):
        assert text.count(use) == 1
    assert text.count("_viewer(service, request)") == 6
