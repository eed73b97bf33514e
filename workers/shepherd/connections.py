"""Connections to the shepherd's socket, which everybody may open: who is let in, what one costs, whose turn it is.

Budgets are per user, so that what one user does costs that user only: connections, descriptors (unclaimed, held by
steps that wait, or not closed yet), bytes (unfinished frames and the requests of steps that wait). The daemons' own
user, of whom the agent is one, has none. A turn of the loop gives all users together a slice of time, those first who
used least of late; what is left over has its turn after the loop's own work. Standard library only.
"""

import os
import resource
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from crane_celery.wire.link import Bounds, Hangup, Link, peer_of
from workers.shepherd.closing import Closer

#: a request is as large as the arguments and environment that the kernel takes, each byte perhaps as six characters
_FOREIGN = Bounds(frame=16 << 20, fds=253, reads=4, frames=16)
#: seconds for users' requests in one turn of the loop; what was used before is forgotten by half each second
_SLICE_S = 0.05
#: seconds that a connection may leave a frame unfinished, or descriptors without one
_STALL_S = 20.0


class Budget(NamedTuple):
    """Record of what one user may hold on this node; and connections of all users but the daemons' own together."""

    links: int = 500
    fds: int = 1024
    size: int = 128 << 20
    all_links: int = 2000
    #: bytes of answers to one connection that wait to be read
    unsent: int = 1 << 20


class Connections:
    """All of them, but those of spawners."""

    def __init__(
        self, selector: selectors.BaseSelector, closer: Closer, held: Callable[[int], int], budget: Budget | None = None
    ) -> None:
        """``held``: descriptors that steps of a user hold while they wait."""
        self._selector = selector
        self._closer = closer
        self._held = held
        self._owner = os.geteuid()
        self._budget = budget or _fitting()
        self.links: dict[Link, int] = {}  # each with its uid
        self._of: Counter[int] = Counter()
        self._spent: dict[int, float] = {}
        self._forgot_at = time.monotonic()
        self._stalled: dict[Link, float] = {}
        self._left: dict[Link, None] = {}

    def admit(self, sock: socket.socket) -> Link | None:
        """Take a new connection, or None where its user has as many as one may have; then it is closed."""
        uid = peer_of(sock)[1]
        foreign = uid != self._owner
        link = Link(sock, _FOREIGN if foreign else Bounds(), partial(self._closer.close, uid))
        if foreign and self._full(uid):
            return self._turn_away(link)
        self.links[link] = uid
        self._of[uid] += 1
        self._selector.register(link, selectors.EVENT_READ, ("link", link))
        return link

    def _full(self, uid: int) -> bool:
        foreign = len(self.links) - self._of[self._owner]
        mine = self._of[uid] >= self._budget.links or self._fds(uid) > self._budget.fds
        return mine or foreign >= self._budget.all_links

    @staticmethod
    def _turn_away(link: Link) -> None:
        text = "you have as many connections open on this node as one user may have: end some, or try again"
        link.send({"op": "refused", "code": 85, "text": text})
        link.close()

    def drop(self, link: Link) -> bool:
        """Close a connection; False when that was done before."""
        uid = self.links.pop(link, None)
        if uid is None:
            return False
        self._of[uid] -= 1
        if not self._of[uid]:
            del self._of[uid]
        self._stalled.pop(link, None)
        self._left.pop(link, None)
        self._selector.unregister(link)
        link.close()
        return True

    # -- budgets

    def check(self, link: Link) -> None:
        """Raise Hangup where its user is over budget, or it keeps a frame unfinished for long. After each receive."""
        uid = self.links.get(link, self._owner)
        if uid == self._owner:
            return
        if link.unclaimed and self._fds(uid) > self._budget.fds:
            raise Hangup("its user has too many descriptors here")
        if link.buffered and self._size(uid) > self._budget.size:
            raise Hangup("its user has too many bytes here")
        if link.unsent > self._budget.unsent:
            raise Hangup("it does not read what it is answered")
        if (link.buffered and not link.ready) or link.unclaimed:
            self._stalled.setdefault(link, time.monotonic())
        else:
            self._stalled.pop(link, None)

    def stalled(self) -> list[Link]:
        """Return connections whose frame has been unfinished for too long."""
        now = time.monotonic()
        return [link for link, since in self._stalled.items() if now - since > _STALL_S]

    def _fds(self, uid: int) -> int:
        unclaimed = sum(link.unclaimed for link, user in self.links.items() if user == uid)
        return unclaimed + self._held(uid) + self._closer.left(uid)

    def _size(self, uid: int) -> int:
        return sum(link.buffered + link.largest for link, user in self.links.items() if user == uid)

    # -- turns

    def wait(self, timer: float | None) -> float | None:
        """Return how long the loop may wait, given what its timers say."""
        if self._left:
            return 0.0
        if not self._stalled:
            return timer
        return _STALL_S if timer is None else min(timer, _STALL_S)

    def turn(self, ready: Iterable[Link], serve: Callable[[Link], None]) -> None:
        """Serve those that are ready while the slice lasts, the users first who used least of late."""
        self._left.update(dict.fromkeys(ready))
        if not self._left:
            return
        self._forget()
        until = time.monotonic() + _SLICE_S
        for link in sorted(self._left, key=lambda each: self._spent.get(self.links.get(each, 0), 0.0)):
            begun = time.monotonic()
            if begun > until:
                return
            self._left.pop(link, None)
            uid = self.links.get(link)
            if uid is None:
                continue
            serve(link)
            self._spent[uid] = self._spent.get(uid, 0.0) + time.monotonic() - begun
            if link in self.links and link.ready:
                self._left[link] = None

    def _forget(self) -> None:
        now = time.monotonic()
        halves, self._forgot_at = now - self._forgot_at, now
        self._spent = {uid: kept for uid, spent in self._spent.items() if (kept := spent * 0.5**halves) > 1e-4}


def _fitting() -> Budget:
    """Return the usual budget, or less where this process may have few descriptors: half of them stay the node's."""
    usual, most = Budget(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        return usual
    return usual._replace(
        links=min(usual.links, most // 8), fds=min(usual.fds, most // 8), all_links=min(usual.all_links, most // 4)
    )
