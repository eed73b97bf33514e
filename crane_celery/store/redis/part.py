"""Define what every part of the store on a server stands on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crane_celery.store import codec
from crane_celery.store.keys import Keys
from crane_celery.store.link import Link

#: records read by one script call: it stays far below 50 ms
READ = 500


class Part:
    """A link to the server and the names of the keys there."""

    def __init__(self, link: Link, keys: Keys) -> None:
        """``keys``: those of the cluster."""
        self.link, self.keys = link, keys

    def read(self, kind: str, fields: list[str], ids: Sequence[Any]) -> Iterator[list[str]]:
        """Read these fields of many records, some hundreds in one step; ids that are not there give nothing."""
        for at in range(0, len(ids), READ):
            text = self.link.run("read", kind, len(fields), *fields, *ids[at : at + READ])
            yield from codec.rows(text.decode())
