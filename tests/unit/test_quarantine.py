"""Items that are set aside: there once, listed, dropped, and never outside their folder."""

import pathlib

import pytest

from crane_celery import quarantine
from crane_celery.errors import InputError, NotFound
from crane_celery.quarantine import Item


def test_an_item_is_there_once(tmp_path: pathlib.Path) -> None:
    folder = quarantine.folder_of(str(tmp_path))
    item = Item("event-1-2-end-0", "recorder", 5.0, "why \udce9", ["x", {"reason": "caf\udce9"}])
    assert quarantine.listed(folder) == []
    for _ in range(2):
        assert quarantine.put(folder, item)
    assert quarantine.put(folder, item._replace(id="report-n1-e-3.1", at=4.0, retry=True))
    assert [each.id for each in quarantine.listed(folder)] == ["report-n1-e-3.1", item.id]
    assert quarantine.get(folder, item.id) == item and item.kind == "event"
    quarantine.drop(folder, item.id)
    quarantine.drop(folder, item.id)
    with pytest.raises(NotFound):
        quarantine.get(folder, item.id)


@pytest.mark.parametrize("id", ["", "../x-1", "event-", "event-a/b", "Event-1", "event-1\n", "x-" + "1" * 200])
def test_an_id_is_no_path(tmp_path: pathlib.Path, id: str) -> None:
    with pytest.raises(InputError, match="no id of an item"):
        quarantine.get(str(tmp_path), id)


def test_what_is_no_item_is_passed_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / "event-1").write_text("no JSON")
    (tmp_path / "event-2").write_text('{"id": 1}')
    (tmp_path / "event-3.new").write_text("half")
    assert quarantine.listed(str(tmp_path)) == []
