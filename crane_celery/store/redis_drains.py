"""Which nodes are drained towards which jobs, as the leader notes it in the server."""

from __future__ import annotations

from crane_celery.store.keys import Keys
from crane_celery.store.link import Link


class RedisDrains:
    """A part of RedisStore."""

    link: Link
    _keys: Keys

    def set_drains(self, fence: int, text: str) -> None:
        """Note them. See store.api."""
        self.link.run("set_drains", fence, text)

    def drains(self) -> str:
        """What the latest leader noted. See store.api."""
        return (self.link.do("GET", self._keys.one("drains")) or b"").decode()
