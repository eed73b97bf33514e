"""``crane up`` without sizes takes what this host has; ``crane doctor`` says where more is promised."""

import argparse
import json
import pathlib

import pytest

from cli.admin import host_sizes
from cli.admin.doctor import doctor
from cli.admin.host_sizes import Host
from cli.admin.sizes import Sizes
from cli.admin.up import sizes_of

HOST = Host(cpus=12, memory_mib=64000)


def asked(**given: object) -> argparse.Namespace:
    """The options of ``crane up``, those not given absent."""
    return argparse.Namespace(**{**dict.fromkeys(("nodes", "cpus", "mem", "gres", "cgroup")), **given})


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({}, (1, 12, "64000M")),
        ({"nodes": 5}, (5, 2, "12800M")),
        ({"nodes": 100}, (100, 1, "640M")),
        ({"cpus": 64}, (1, 64, "64000M")),
        ({"nodes": 2, "mem": "3G"}, (2, 6, "3G")),
        ({"nodes": 4, "cpus": 4, "mem": "1T"}, (4, 4, "1T")),
    ],
)
def test_what_is_not_given_is_the_hosts_share(given: dict[str, object], sizes: tuple[int, int, str]) -> None:
    assert sizes_of(asked(**given), HOST) == Sizes(nodes=sizes[0], cpus=sizes[1], memory=sizes[2])


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, (8, 16000)),
        ({"cpu.max": "max 100000\n", "memory.max": "max\n"}, (8, 16000)),
        ({"cpu.max": "250000 100000\n", "memory.max": f"{4 << 30}\n"}, (2, 4096)),
        ({"cpu.max": "50000 100000\n"}, (1, 16000)),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, (8, 16000)),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, (3, 16000)),
        ({"memory/memory.limit_in_bytes": f"{1 << 30}\n"}, (8, 1024)),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, (8, 16000)),
        ({"cpu.max": "?", "memory.max": ""}, (8, 16000)),
    ],
)
def test_a_container_has_what_its_limits_leave(
    tmp_path: pathlib.Path, files: dict[str, str], found: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {**files, "meminfo": f"MemTotal:   {16000 << 10} kB\nMemFree: 1 kB\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(host_sizes.os, "sched_getaffinity", lambda _pid: set(range(8)))
    assert host_sizes.this_host(str(tmp_path), str(tmp_path / "meminfo")) == Host(*found)


@pytest.mark.parametrize(
    ("cpus", "memory", "named"),
    [(3, "10G", set()), (4, "10G", {"promised CPUs"}), (1, "50G", {"promised memory"})],
)
def test_more_than_there_is_is_named(
    tmp_path: pathlib.Path,
    cpus: int,
    memory: str,
    named: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.yaml").write_text(f"Nodes:\n  - {{name: 'n[1-4]', cpu: {cpus}, memory: {memory}}}\n")
    monkeypatch.setenv("CRANE_HOME", str(tmp_path))
    monkeypatch.delenv("CRANE_CONFIG", raising=False)
    monkeypatch.setattr("cli.admin.host_sizes.this_host", lambda: HOST)
    doctor(["--home", str(tmp_path), "--json"])
    found = [each for each in json.loads(capsys.readouterr().out) if each["name"].startswith("promised")]
    assert {each["name"] for each in found if not each["ok"]} == named
    assert len(found) == 2
    for each in found:
        assert each["ok"] or "crane up" in each["remedy"]
