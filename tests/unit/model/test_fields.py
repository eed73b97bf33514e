"""The table of job fields: consistent in itself, and with the records that it speaks of."""

from collections import Counter
from dataclasses import fields

import pytest

from crane_celery.model.fields.row import ACTS, RECORDED, REFUSED, Field
from crane_celery.model.fields.table import FIELDS, changeable, sendable, setters
from crane_celery.model.job import JobSpec

SPEC = {field.name for field in fields(JobSpec)}
TAKEN = [field for field in FIELDS if field.ours or field.slurm or field.lsf]


@pytest.mark.parametrize("front", ["ours", "slurm", "lsf"])
def test_a_name_means_one_thing_at_a_front_end(front: str) -> None:
    names = Counter(name for field in FIELDS for name in field.names(front))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize("field", TAKEN, ids=lambda field: field.key + field.const)
def test_every_option_says_what_becomes_of_it(field: Field) -> None:
    assert field.effect in (ACTS, RECORDED, REFUSED)
    assert (field.help if field.effect != REFUSED else field.why) != ""
    assert set(field.sets) <= SPEC


def test_what_may_change_and_what_rows_repeat_is_part_of_a_specification() -> None:
    assert changeable() <= SPEC
    assert {field.key for field in FIELDS if field.in_rows} <= SPEC


def test_what_acts_can_be_sent() -> None:
    assert set(setters()) - {"name"} <= sendable()
    assert {"export", "reservation"}.isdisjoint(sendable())


def test_keys_of_update_are_unique() -> None:
    keys = Counter(key for field in FIELDS if field.change for key in field.change.keys.split())
    assert [key for key, times in keys.items() if times > 1] == []
