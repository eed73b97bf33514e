"""Rows of events by name, those of before a field was added too."""

import pytest

from crane_celery.model.event import EndRow, StartRow, ends, starts

_END = [7, 5, 2, 1, "Failed", 3, 1.0, 2.0, "why", 0.5, 4096]


def test_ends_have_their_memory_deaths_and_those_of_before_none() -> None:
    new, old = ends({"rows": [[*_END, 4, True], [*_END, True]]})
    assert (new.memory_deaths, old.memory_deaths) == (4, 0)
    assert new._replace(memory_deaths=0) == old == EndRow(7, 5, 2, 1, "Failed", 3, 1.0, 2.0, "why", 0.5, 4096, 0, True)


def test_starts() -> None:
    allocation = [["n1", 1.0, 0, {}]]
    assert list(starts({"rows": [[7, 5, 2, 1, allocation]]})) == [StartRow(7, 5, 2, 1, allocation)]


@pytest.mark.parametrize("row", [[], [7], [*_END, 4, True, 1]])
def test_a_row_with_other_fields_is_no_end(row: list[object]) -> None:
    with pytest.raises(TypeError):
        list(ends({"rows": [row]}))
