"""A daemon is known by a descriptor that it has open, whatever became of its title, its environment and our files."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crane_celery.errors import Refused, Untrusted
from crane_celery.supervisor import datalock, lock, marks, pidfiles
from crane_celery.supervisor.processes import Record, record_of, wait_gone

_DUP = """
import os, sys
os.dup2(int(sys.argv[1]), int(sys.argv[2]))
os.execve("/bin/sleep", ["x", "600"], {})
"""


@contextmanager
def holding(fd: int, at: int) -> Iterator[Record]:
    """A process with an empty environment and another name that has this descriptor at that number."""
    argv = ["/usr/bin/python3", "-I", "-c", _DUP, str(fd), str(at)]
    with subprocess.Popen(argv, pass_fds=[fd]) as process:
        try:
            os.close(fd)
            comm = Path(f"/proc/{process.pid}/comm")
            while comm.read_text() != "sleep\n":
                pass
            found = record_of(process.pid)
            assert found
            yield found
        finally:
            process.kill()


def marked(home: Path, role: str) -> int:
    return os.open(marks.prepare(str(home), role), os.O_RDONLY)


def test_a_marked_process_is_found_without_any_file(tmp_path: Path) -> None:
    with holding(marked(tmp_path, "node.n1"), marks.FD) as daemon:
        assert marks.found(str(tmp_path)) == {daemon: "node.n1"}
        (tmp_path / "marks" / "node.n1").unlink()
        assert marks.found(str(tmp_path)) == {daemon: "node.n1"}
        marks.prepare(str(tmp_path), "node.n1")  # another file of the same name
        assert marks.found(str(tmp_path)) == {daemon: "node.n1"}
        assert marks.found(str(tmp_path / "other")) == {}
        link = tmp_path.parent / f"{tmp_path.name}.link"
        link.symlink_to(tmp_path)
        assert marks.found(str(link)) == {daemon: "node.n1"}
    assert marks.found(str(tmp_path)) == {}


def test_nobody_else_can_open_a_mark(tmp_path: Path) -> None:
    path = Path(marks.prepare(str(tmp_path), "server"))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(Untrusted):
        marks.prepare(str(tmp_path), "server")


def test_a_supervisor_whose_file_is_gone_is_still_the_only_one(tmp_path: Path) -> None:
    with holding(marked(tmp_path, marks.SUPERVISOR), marks.FD) as supervisor:
        assert lock.holder(str(tmp_path)) is None
        assert lock.living(str(tmp_path)) == supervisor
        with pytest.raises(Refused, match=f"pid {supervisor.pid}"), lock.held(str(tmp_path)):
            pass


def test_a_lost_lock_file_is_made_again(tmp_path: Path) -> None:
    home = str(tmp_path)
    with lock.held(home) as held:
        os.unlink(lock.path(home))
        assert lock.holder(home) is None
        held.renew()
        held.renew()
        assert lock.holder(home) == record_of(os.getpid())
        with pytest.raises(Refused), lock.held(home):
            pass
    with lock.held(home):
        pass


def test_the_data_are_locked_for_as_long_as_the_server_lives(tmp_path: Path) -> None:
    home = str(tmp_path)
    datalock.check(home)
    with holding(datalock.take(home), datalock.FD) as server:
        for name in ("lock", "appendonlydir"):
            (tmp_path / "server" / name).unlink(missing_ok=True)
        with pytest.raises(Refused, match=rf"pid {server.pid}\b.*crane down.*kill {server.pid}"):
            datalock.take(home)
        assert datalock.holders(home) == [server.pid]
    assert wait_gone([server], 10) == []
    datalock.check(home)


def test_a_pid_file_that_somebody_else_can_have_written_names_nobody(tmp_path: Path) -> None:
    run = str(tmp_path)
    me = record_of(os.getpid())
    assert me
    pidfiles.write(run, "server", me)
    assert pidfiles.read(run) == {"server": me}
    for path, mode in ((tmp_path / "pids" / "server", 0o666), (tmp_path / "pids", 0o777), (tmp_path, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(Untrusted, match=f"{path} can be written by others"):
            pidfiles.read(run)
        path.chmod(before)
    (tmp_path / "pids" / "server").rename(tmp_path / "elsewhere")
    (tmp_path / "pids" / "server").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Untrusted, match="symbolic link"):
        pidfiles.read(run)
