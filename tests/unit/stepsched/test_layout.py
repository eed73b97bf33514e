"""Which task runs on which node."""

import pytest

from crane_celery.stepsched.layout import BLOCK, CYCLIC, Distribution, counts, ranks


@pytest.mark.parametrize(
    ("room", "tasks", "how", "given", "on"),
    [
        ([4, 4], 3, BLOCK, [2, 1], [(0, 1), (2,)]),
        ([4, 4], 8, BLOCK, [4, 4], [(0, 1, 2, 3), (4, 5, 6, 7)]),
        ([4, 4], 5, BLOCK, [4, 1], [(0, 1, 2, 3), (4,)]),
        ([4, 4], 5, CYCLIC, [3, 2], [(0, 2, 4), (1, 3)]),
        ([1, 4], 5, CYCLIC, [1, 4], [(0,), (1, 2, 3, 4)]),
        ([4, 4], 6, Distribution(2), [4, 2], [(0, 1, 4, 5), (2, 3)]),
        ([4, 4, 4], 3, BLOCK, [1, 1, 1], [(0,), (1,), (2,)]),
    ],
)
def test_tasks_go_round(
    room: list[int], tasks: int, how: Distribution, given: list[int], on: list[tuple[int, ...]]
) -> None:
    assert counts(room, tasks, how) == given
    assert ranks(given, how) == on
