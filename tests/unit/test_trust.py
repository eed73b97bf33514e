"""Test what lies on the disk or listens on a socket is believed only where it is ours alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crane_celery import trust
from crane_celery.errors import Denied, Untrusted
from crane_celery.gateway import client
from crane_celery.supervisor import ping

_LISTEN = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as sock:
    sock.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666); sock.listen()
    print("listening", flush=True)
    while True:
        other = sock.accept()[0]
        print(other.recv(65536).hex() or "nothing", flush=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def test_a_directory_of_ours_alone_is_believed(place: Path) -> None:
    trust.directory(str(place))
    before = os.umask(0)
    try:
        trust.make_directory(str(place / "new"))
    finally:
        os.umask(before)
    assert (place / "new").stat().st_mode & 0o777 == 0o755
    trust.make_directory(str(place / "new"))


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o757])
def test_what_others_can_write_is_refused_and_the_remedy_named(place: Path, mode: int) -> None:
    (place / "d").mkdir()
    (place / "d").chmod(mode)
    with pytest.raises(Untrusted, match=r"can be written by others.*chmod go-w"):
        trust.directory(str(place / "d"))
    (place / "f").touch()
    (place / "f").chmod(mode & 0o777)
    with pytest.raises(Untrusted, match="can be written by others"):
        trust.opened(str(place / "f"), os.O_RDONLY)


def test_links_and_what_is_no_file_are_refused(place: Path) -> None:
    (place / "d").mkdir()
    (place / "f").write_text("1 2\n")
    (place / "link").symlink_to("d")
    (place / "to_file").symlink_to("f")
    os.mkfifo(place / "fifo", 0o600)
    for name in ("link", "to_file", "fifo"):
        with pytest.raises(Untrusted):
            trust.directory(str(place / name))
        with pytest.raises(Untrusted):
            trust.opened(str(place / name), os.O_RDONLY)
    with pytest.raises(Untrusted, match="no plain file"):
        trust.opened(str(place / "d"), os.O_RDONLY)
    assert trust.read_line(str(place / "f")) == "1 2"
    with pytest.raises(FileNotFoundError):
        trust.directory(str(place / "none"))


@pytest.mark.root
def test_what_belongs_to_another_user_is_refused(place: Path) -> None:
    (place / "d").mkdir(mode=0o755)
    (place / "f").touch(mode=0o644)
    for name in ("d", "f"):
        os.chown(place / name, 65534, 65534)
    with pytest.raises(Untrusted, match="belongs to uid 65534"):
        trust.make_directory(str(place / "d"))
    with pytest.raises(Untrusted, match="belongs to uid 65534"):
        trust.read_line(str(place / "f"))


@pytest.fixture
def stranger(place: Path) -> Iterator["subprocess.Popen[str]"]:
    """Somebody who listens on ``place``/open/gateway.sock and prints what is sent there."""
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    for folder in place.parents:
        if os.stat(folder).st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    argv = [sys.executable, "-I", "-c", _LISTEN, str(place / "open" / "gateway.sock")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "listening\n"
        yield process
        process.send_signal(signal.SIGKILL)


@pytest.mark.root
def test_nothing_is_sent_to_a_gateway_of_another_user(place: Path, stranger: "subprocess.Popen[str]") -> None:
    path = str(place / "open" / "gateway.sock")
    with pytest.raises(Denied, match=r"uid 65534.*nothing was sent"):
        client.call("submit", {"jobs": [{"env": {"TOKEN": "secret"}}]}, path)
    assert not ping.answers(f"unix://{path}")
    assert stranger.stdout and stranger.stdout.readline() == "nothing\n"


@pytest.mark.root
def test_a_server_in_a_strangers_directory_below_tmp_is_not_believed(
    place: Path, stranger: "subprocess.Popen[str]"
) -> None:
    del stranger
    path = str(place / "open" / "gateway.sock")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        with pytest.raises(Untrusted, match="uid 65534"):
            trust.check_server(sock, path)
        (place / "open").chmod(0o755)  # only root could have put it there: a server that the site runs as such a user
        trust.check_server(sock, path)


def test_our_own_listener_is_believed(place: Path) -> None:
    path = str(place / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
        listener.bind(path)
        listener.listen()
        sock.connect(path)
        trust.check_listener(sock, path)
        trust.check_server(sock, path)
