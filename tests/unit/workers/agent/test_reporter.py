"""A node's reports: a row that is refused costs the others nothing, and a store that refuses all loses nothing."""

import threading
from typing import Any

import pytest

from crane_celery.errors import SystemFault, Unreachable
from crane_celery.store.api import Report
from workers.agent.reporter import News, Uplink

BAD = 13


class Store:
    """Takes reports, or refuses those that speak of a job."""

    def __init__(self, refuse_all: bool = False) -> None:
        self.refuse_all = refuse_all
        self.ended: set[int] = set()
        self.refused = 0
        self.changed = threading.Condition()

    def report(self, report: Report) -> None:
        with self.changed:
            self.changed.notify_all()
            if self.refuse_all or any(end.id == BAD for end in report.ended):
                self.refused += 1
                raise SystemFault("refused")
            self.ended.update(end.id for end in report.ended)

    def until(self, enough: Any) -> None:
        with self.changed:
            assert self.changed.wait_for(enough, 20)


def _end(seq: int, id_: Any, began: Any = 1.0) -> list[Any]:
    return [seq, "e", id_, 1, 0, "", began, 2.0, 0.0, 0, 0, ""]


@pytest.mark.parametrize("bad", [_end(2, BAD), _end(2, 5, "no time"), [2, "e"], [2, "s", 1]], ids=str)
def test_one_row_that_is_refused_is_set_aside(bad: list[Any]) -> None:
    store, acked, aside = Store(), threading.Event(), []
    uplink = Uplink(store.report, lambda *_: acked.set(), lambda: 0.0, lambda _: None, lambda row, _: aside.append(row))
    uplink.put(News(1, [_end(1, 1), bad, _end(3, 3)]))
    uplink.start()
    assert acked.wait(20)
    uplink.stop()
    assert aside == [bad] and store.ended == {1, 3}


def test_a_store_that_refuses_everything_is_asked_again() -> None:
    store, acked, aside = Store(refuse_all=True), threading.Event(), []
    uplink = Uplink(store.report, lambda *_: acked.set(), lambda: 0.0, lambda _: None, lambda row, _: aside.append(row))
    uplink.put(News(1, [_end(1, 1), _end(2, 2)]))
    uplink.start()
    store.until(lambda: store.refused > 6)
    store.refuse_all = False
    assert acked.wait(20)
    uplink.stop()
    assert aside == [] and store.ended == {1, 2}


def test_an_outage_while_rows_are_tried_sets_nothing_aside() -> None:
    store, acked, aside = Store(), threading.Event(), []
    calls: list[int] = []

    def send(report: Report) -> None:
        calls.append(len(report.ended))
        if len(calls) == 5:
            raise Unreachable("away")
        store.report(report)

    uplink = Uplink(send, lambda *_: acked.set(), lambda: 0.0, lambda _: None, lambda row, _: aside.append(row))
    uplink.put(News(1, [_end(1, 1), _end(2, 2), _end(3, BAD)]))
    uplink.start()
    assert acked.wait(20)
    uplink.stop()
    assert aside == [_end(3, BAD)] and store.ended == {1, 2}
