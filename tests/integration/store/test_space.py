"""The server's free space, as its own host and as other hosts see it."""

import pytest

from crane_celery.errors import DiskFull
from crane_celery.store import space
from crane_celery.store.space import Space
from tests.support.server import Server

PLENTY = 1 << 60


def test_the_servers_own_host_looks_at_its_disk() -> None:
    with Server() as server:
        Space(server.url, "{s}", 1).guard()
        with pytest.raises(DiskFull, match=rf"MB left.*make room in {server.home} there, or lower MinFreeSpace"):
            Space(server.url, "{s}", PLENTY).guard()
        Space(server.url, "{s}", 0).guard()


def test_another_host_believes_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        here = Space(server.url, "{s}", PLENTY)
        with monkeypatch.context() as patch:
            patch.setattr(space, "is_local", lambda _url: False)
            there = Space(server.url, "{s}", PLENTY)
        there.guard()
        here.tell()
        with pytest.raises(DiskFull, match="its data directory there"):
            there.guard()
        monkeypatch.setattr(here, "_kept", 1)
        here.tell()
        there.guard()


def test_a_host_that_sees_no_disk_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        monkeypatch.setattr(space, "is_local", lambda _url: False)
        there = Space(server.url, "{s}", PLENTY)
        there.tell()
        there.guard()


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("unix:///tmp/server.sock", True),
        ("redis://:secret@127.0.0.1:6379/0", True),
        ("redis://[::1]:6379/0", True),
        ("redis://192.0.2.1:6379/0", False),
    ],
)
def test_an_address_is_local_when_this_host_has_it(url: str, ours: bool) -> None:
    assert space.is_local(url) is ours
