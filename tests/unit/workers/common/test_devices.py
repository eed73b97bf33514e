"""Which device files a run may open."""

import os
import pathlib

import pytest

from workers.common.devices import files_of, numbers

_TWO = ["/dev/a", "/dev/b"]


@pytest.mark.parametrize(
    ("devices", "gres", "held", "allowed"),
    [
        ({"gpu": _TWO}, {"gpu": 2}, {"gpu": (0,)}, {"/dev/a"}),
        ({"gpu": _TWO}, {"gpu": 2}, {}, set()),
        ({"gpu": _TWO}, {"gpu": 2}, {"fpga": (0,)}, set()),
        ({"gpu:a100": _TWO}, {"gpu:a100": 2}, {"gpu:a100": (1,)}, {"/dev/b"}),
        ({"gpu": _TWO}, {"gpu:a100": 2}, {"gpu:a100": (1,)}, {"/dev/b"}),
        ({"gpu": _TWO}, {"gpu:a100": 1, "gpu:v100": 1}, {"gpu:v100": (0,)}, {"/dev/b"}),
        ({"gpu": ["/dev/a", "/dev/a"]}, {"gpu": 2}, {"gpu": (0,)}, {"/dev/a"}),
        ({"gpu": _TWO, "nic": ["/dev/b"]}, {"gpu": 2, "nic": 1}, {"nic": (0,)}, {"/dev/b"}),
    ],
)
def test_what_is_held(
    devices: dict[str, list[str]], gres: dict[str, int], held: dict[str, tuple[int, ...]], allowed: set[str]
) -> None:
    files = files_of(devices, gres, held)
    assert {file for file, _ in files} == {each for names in devices.values() for each in names}
    assert {file for file, mine in files if mine} == allowed


def test_files_become_numbers(tmp_path: pathlib.Path) -> None:
    zero = os.stat("/dev/zero").st_rdev
    number = f"c {os.major(zero)}:{os.minor(zero)}"
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    plain = tmp_path / "plain"
    plain.touch()
    missing = str(tmp_path / "missing")
    assert numbers([("/dev/zero", False), (str(plain), False), (missing, True)]) == ((number, False),)
    assert numbers([("/dev/zero", False), (str(link), True)]) == ((number, True),)
