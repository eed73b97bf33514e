"""Daemons that cannot start say why in one sentence, whether they are started by hand or by a supervisor."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.admin.keys import make_keys
from crane_celery.settings import parse
from crane_celery.supervisor.roles import environment, node_argv, scheduler_argv

ROOT = Path(__file__).resolve().parents[3]
NODES = "Nodes:\n  - {name: n1, cpu: 1, memory: 1G}\n"
#: nothing listens there
NOWHERE = "ServerUrl: redis://127.0.0.1:1/0\n"
SCHEDULER, NODE = ("scheduler",), ("node", "--name", "n1")
GATEWAY, RECORDER, FLOWER = ("gateway",), ("recorder",), ("flower",)
#: as a supervisor starts them: without the checks of ``crane``
CELERY_BEAT, CELERY_WORKER = (scheduler_argv()[3:], node_argv("n1")[3:])


def as_others(home: Path) -> None:
    """Nobody may write to the folders of this home."""
    for name in ("log", "spool", "run"):
        (home / name).mkdir()
        (home / name).chmod(0o555)


def bad_keys(home: Path) -> None:
    for name in ("launch.key", "launch.pub"):
        (home / "keys" / name).write_text("garbage\n")


def no_keys(home: Path) -> None:
    for name in ("launch.key", "launch.pub"):
        (home / "keys" / name).unlink()


def key_is_a_folder(home: Path) -> None:
    no_keys(home)
    for name in ("launch.key", "launch.pub"):
        (home / "keys" / name).mkdir()


def no_spool(home: Path) -> None:
    (home / "spool").write_text("a file\n")


def no_socket(home: Path) -> None:
    (home / "run" / "gateway.sock").mkdir(parents=True)


def nothing(home: Path) -> None:
    del home


CASES: list[tuple[tuple[str, ...], str, Callable[[Path], None], str]] = [
    *((role, "Nodes: [\n", nothing, "config.yaml:2: not YAML") for role in (CELERY_BEAT, CELERY_WORKER, GATEWAY)),
    *((role, f"Foo: 1\n{NODES}", nothing, "Foo: unknown key") for role in (CELERY_BEAT, FLOWER, RECORDER)),
    *((r, f"ServerUrl: redis://h:x/0\n{NODES}", nothing, "the port of the URL") for r in (CELERY_WORKER, GATEWAY)),
    (CELERY_BEAT, f"ServerUrl: redis://h/one\n{NODES}", nothing, "the number of the database"),
    (CELERY_BEAT, f"ServerUrl: unix://s.sock\n{NODES}", nothing, "the whole path of the socket"),
    (RECORDER, f"ServerUrl: sentinel://h:1/0\n{NODES}", nothing, "sentinel:// is not supported"),
    *((r, f"HistoryUrl: x://y\n{NOWHERE}{NODES}", nothing, "history_url x://y") for r in (CELERY_BEAT, RECORDER)),
    *((role, NOWHERE + NODES, bad_keys, "is no Ed25519") for role in (SCHEDULER, CELERY_BEAT, NODE, CELERY_WORKER)),
    *((role, NOWHERE + NODES, no_keys, "cannot read the launch key") for role in (CELERY_BEAT, CELERY_WORKER)),
    *((role, NOWHERE + NODES, key_is_a_folder, "cannot read the launch key") for role in (CELERY_BEAT, NODE)),
    (("node", "--name", "n2"), NOWHERE + NODES, nothing, "no node 'n2' is defined"),
    (CELERY_WORKER, NOWHERE + NODES, no_spool, "/spool/n1: Not a directory"),
    (GATEWAY, NOWHERE + NODES, no_socket, "gateway.sock"),
    (("flower", "--port", "0"), NOWHERE + NODES, nothing, "a port is a number from 1 to 65535"),
    (("flower", "--address", "no such..address"), NOWHERE + NODES, nothing, "cannot listen on no such..address"),
]


def said(home: Path, words: tuple[str, ...], text: str, prefix: tuple[str, ...] = ()) -> str:
    """Return what a daemon that cannot start leaves on its outputs."""
    (home / "config.yaml").write_text(text)
    settings = parse(NODES, str(home / "config.yaml"), {"CRANE_HOME": str(home)})
    env = {**environment(settings, os.environ), "CRANE_NODE": "n1", "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(ROOT / "crane_celery" / "isolated.py"), *words]
    if words[0] != "crane_celery.daemon":
        argv = [sys.executable, "-m", "cli.crane", *words]
    done = subprocess.run(
        [*prefix, *argv], env=env, cwd=ROOT, stdout=-1, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    assert done.returncode > 0, done.stdout
    return done.stdout


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with keys; not pytest's tmp_path, which is too long for sockets and closed to others."""
    made = Path(tempfile.mkdtemp(prefix="crane-test-", dir="/tmp"))
    made.chmod(0o755)
    (made / "config.yaml").write_text(NODES)
    make_keys(parse(NODES, str(made / "config.yaml"), {"CRANE_HOME": str(made)}))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize(("words", "text", "prepare", "why"), CASES)
def test_one_sentence(home: Path, words: tuple[str, ...], text: str, prepare: Callable[[Path], None], why: str) -> None:
    prepare(home)
    found = said(home, words, text)
    lines = [line for line in found.splitlines() if not line.startswith("try '")]
    assert len(lines) == 1 and lines[0].startswith(("error: ", "crane: error: ")) and why in lines[0], found


def test_a_port_that_is_taken(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = said(home, ("flower", "--port", str(port)), NOWHERE + NODES)
    assert found.count("\n") == 1 and f"port {port}: Address already in use" in found


@pytest.mark.root
@pytest.mark.parametrize("words", [CELERY_BEAT, CELERY_WORKER, ("up",)])
def test_folders_that_cannot_be_written(home: Path, words: tuple[str, ...]) -> None:
    as_others(home)
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    found = said(home, words, NOWHERE + NODES, prefix)
    assert found.count("\n") == 1 and "writable for uid 65534" in found
