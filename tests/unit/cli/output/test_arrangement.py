"""Lines of ``cqueue`` are arranged as asked: folded or not, sorted, as a tree, up to a limit."""

from typing import Any

import pytest

from cli.output.arrangement import Arrangement

#: array 8 of three elements, then job 9, which waits for it
ANSWER: dict[str, Any] = {
    "count": 2,
    "same": {},
    "each": {
        "jobid": ["8_[1-3]", "9"],
        "job": [8, 11],
        "id": [8, 11],
        "indexes": ["1-3", ""],
        "index": [1, None],
        "ranks": ["0-2", "0"],
        "count": [3, 1],
        "depends": ["", "afterok:8"],
        "priority": [1, 2],
    },
}


@pytest.mark.parametrize(
    ("how", "ids"),
    [
        (Arrangement(5), ["8_[1-3]", "9"]),
        (Arrangement(1), ["8_[1-3]"]),
        (Arrangement(5, order=(("priority", True),)), ["9", "8_[1-3]"]),
        (Arrangement(2, each=True), ["8_1", "8_2"]),
        (Arrangement(2, each=True, order=(("index", True),)), ["8_3", "8_2"]),
        (Arrangement(5, tree=True), ["8_[1-3]", "  9"]),
    ],
)
def test_arranged(how: Arrangement, ids: list[str]) -> None:
    shown = how.of(ANSWER)
    assert shown["each"]["jobid"] == ids
    assert shown["count"] == len(ids)


def test_keys_that_arranging_needs() -> None:
    assert Arrangement(5).needs() == {"jobid"}
    assert {"indexes", "count"} < Arrangement(5, each=True).needs()
    assert "ranks" in Arrangement(5, each=True, order=(("id", False),)).needs()
    assert "depends" in Arrangement(5, tree=True).needs()
