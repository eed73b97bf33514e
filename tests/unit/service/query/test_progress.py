"""Test how far what somebody waits for has come."""

from __future__ import annotations

from pathlib import Path

import pytest

from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import parse_selectors
from crane_celery.service import Service
from crane_celery.service.query.progress import Standing, goals, standing
from crane_celery.store.memory import MemoryStore
from tests.contract.world import World
from tests.unit.service.support import settings


@pytest.mark.parametrize("step", [1, 2, 5])
def test_a_part_of_an_array_is_counted_whatever_its_ranges(step: int, tmp_path: Path) -> None:
    world = World(MemoryStore())
    past = Service(world.store, settings(tmp_path)).past
    job = world.submit(100)
    store = world.store
    ranks = range(0, 100, step)
    part = f"0-99:{step}" if step > 1 else "0-98"
    [goal] = goals(parse_selectors(f"{job}_[{part}]"), store, past)
    assert standing(goal, store) == Standing(len(goal.ranks), 0, 0, len(goal.ranks))
    for rank in ranks[:4]:
        world.start(job, rank)
    world.end(*(job + rank for rank in ranks[:2]))
    world.end(job + ranks[2], state="Failed", code=1)
    store.cancel(job, RangeSet.of(ranks[4:6]).text, 0)
    assert standing(goal, store) == Standing(len(goal.ranks), 5, 2, len(goal.ranks) - 6)
