"""Reports of a node that the store does not take: set aside, and reported again when an administrator says so."""

import time
from collections.abc import Callable
from typing import Any

from crane_celery import faults, quarantine
from crane_celery.errors import CraneError
from crane_celery.store.api import Report
from crane_celery.wire.node import name_of
from workers.agent.reporter import to_report


class Aside:
    """Reports of one node that were set aside."""

    def __init__(self, home: str, node: str, offset: Callable[[], float]) -> None:
        """``offset``: server time - monotonic time, which a report's times are to be read with later."""
        self._folder = quarantine.folder_of(home)
        self._node = node
        self._offset = offset

    def put(self, row: list[Any], error: Exception) -> None:
        """Set a row of a report aside."""
        try:
            raise error
        except Exception:
            faults.record("a report was set aside:", name_of(row))
        id = f"report-{self._node}-{name_of(row)}"
        why = f"{type(error).__name__}: {error}"[:1000]
        quarantine.put(self._folder, quarantine.Item(id, self._process, time.time(), why, [self._offset(), row]))

    @property
    def _process(self) -> str:
        return f"node.{self._node}"

    def retry(self, send: Callable[[Report], None]) -> None:
        """Report again what is to be; what is still refused stays. Raises StaleFence, Unreachable."""
        for item in quarantine.listed(self._folder):
            if item.retry and item.process == self._process:
                self._again(item, send)

    def _again(self, item: quarantine.Item, send: Callable[[Report], None]) -> None:
        try:
            offset, row = item.value
            send(to_report([row], offset))
        except CraneError as error:
            quarantine.put(self._folder, item._replace(retry=False, error=error.message))
            raise
        except Exception as error:
            quarantine.put(self._folder, item._replace(retry=False, error=f"{type(error).__name__}: {error}"))
        else:
            quarantine.drop(self._folder, item.id)
