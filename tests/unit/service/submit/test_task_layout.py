"""Nodes and tasks of an incomplete request (reference/cranesched.md section 0.8)."""

import pytest

from crane_celery.errors import InputError
from crane_celery.service.submit.task_layout import shape


@pytest.mark.parametrize(
    ("nodes", "ntasks", "per_node", "meant"),
    [
        (0, 0, 0, (1, 1, 0)),
        (0, 5, 0, (1, 5, 0)),
        (0, 5, 2, (3, 5, 2)),
        (0, 0, 4, (1, 4, 4)),
        (3, 0, 0, (3, 3, 0)),
        (3, 0, 2, (3, 6, 2)),
        (2, 4, 2, (2, 4, 2)),
    ],
)
def test_shape(nodes: int, ntasks: int, per_node: int, meant: tuple[int, int, int]) -> None:
    assert shape(nodes, ntasks, per_node)[:3] == meant


def test_more_nodes_than_tasks_are_reduced_with_a_notice() -> None:
    reduced = shape(4, 2, 0)
    assert reduced[:3] == (2, 2, 0)
    assert "reduced to 2" in reduced.notice


def test_too_few_places_are_refused() -> None:
    with pytest.raises(InputError, match="ask for 3 nodes"):
        shape(2, 5, 2)
