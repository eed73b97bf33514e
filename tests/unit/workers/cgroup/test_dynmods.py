"""The option that makes moves between cgroups quick: found in the mounts, and switched on where we may."""

import os

import pytest

from workers.cgroup import dynmods, favour

_V2 = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate{}\n"
_V1 = "32 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu{}\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (_V2.format(""), []),
        (_V2.format(",favordynmods"), ["/sys/fs/cgroup"]),
        (_V1.format("") + _V2.format(",favordynmods"), ["/sys/fs/cgroup"]),
        (_V1.format(",favordynmods") + _V2.format(""), ["/sys/fs/cgroup/cpu"]),
    ],
)
def test_it_is_found_in_the_mounts(text: str, where: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    file = tmp_path / "mountinfo"
    file.write_text("1 1 0:1 / / rw - ext4 /dev/sda rw\n" + text)
    real = open
    monkeypatch.setattr(
        "builtins.open", lambda path, *a, **k: real(file if "mountinfo" in str(path) else path, *a, **k)
    )
    assert [mount.point for mount in dynmods._mounts() if "favordynmods" in mount.controllers] == where
    assert dynmods.favoured() == bool(where)


@pytest.mark.root
def test_root_switches_it_on() -> None:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        writable = [mount for mount in dynmods.parse_mountinfo(file.read()) if mount.writable]
    if os.geteuid() == 0 and writable:
        assert favour() == dynmods.favoured()
