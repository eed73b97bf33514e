"""``crane doctor`` names what is configured and has no effect."""

import json
import pathlib

import pytest

from cli.admin import doctor as module
from cli.admin.doctor import doctor
from crane_celery.host import Host
from crane_celery.supervisor.redis_server import Server

_CONFIG = """\
Nodes:
  - {name: n1, cpu: 4, memory: 4G, gres: gpu:1, devices: {gpu: [/dev/null]}}
"""


def findings(
    folder: pathlib.Path, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """Name -> detail of what is not as it should be."""
    (folder / "config.yaml").write_text(text)
    monkeypatch.setenv("CRANE_HOME", str(folder))
    monkeypatch.delenv("CRANE_CONFIG", raising=False)
    doctor(["--home", str(folder), "--json"])
    return {each["name"]: each["detail"] for each in json.loads(capsys.readouterr().out) if not each["ok"]}


def test_what_has_no_effect_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_isolates", lambda _want: False)
    found = findings(tmp_path, _CONFIG, monkeypatch, capsys)
    assert "n1" in found["device isolation"]


def test_a_device_file_that_is_missing_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_isolates", lambda _want: True)
    found = findings(tmp_path, _CONFIG.replace("/dev/null", "/nonexistent/gpu0"), monkeypatch, capsys)
    assert "n1: device file /nonexistent/gpu0 of gpu" in found["device files"]
    assert not {"device files", "device isolation"} & findings(tmp_path, _CONFIG, monkeypatch, capsys).keys()


def test_nothing_is_said_where_nothing_is_configured(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = findings(tmp_path, "Nodes:\n  - {name: n1, cpu: 4, memory: 4G}\n", monkeypatch, capsys)
    assert "device isolation" not in found


def test_a_server_that_slows_down_with_its_memory_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for allocator in ("libc", "jemalloc"):
        monkeypatch.setattr(module, "find_server", lambda of=allocator: Server("/bin/valkey-server", (9, 1), of))
        found = findings(tmp_path, "Nodes:\n  - {name: n1, cpu: 4, memory: 4G}\n", monkeypatch, capsys)
        assert ("server's allocator" in found) == (allocator == "libc")


def test_nodes_that_promise_more_than_there_is(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "look", lambda: Host(8.0, 16 << 30))
    node = "Nodes:\n  - {{name: 'n[1-2]', cpu: {}, memory: {}}}\n"
    cases = (
        (4, "8G", ""),
        (5, "8G", "nodes promise 10 CPUs;"),
        (5, "9G", "nodes promise 10 CPUs and 18432M of memory;"),
    )
    for cpus, memory, told in cases:
        found = findings(tmp_path, node.format(cpus, memory), monkeypatch, capsys)
        assert found.get("capacity", "").startswith(told) and bool(told) == ("capacity" in found)
    other = f"ServerUrl: redis://h:1/0\n{node.format(500, '9000G')}"
    assert "capacity" not in findings(tmp_path, other, monkeypatch, capsys)
