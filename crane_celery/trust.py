"""Decide whether what lies on the disk, or listens on a socket, is ours to believe. Standard library only.

Run directories may lie below /tmp, where everybody can make files and sockets of any name. Believed is only what
belongs to this process's user or to root and what no group and nobody else can write; a symbolic link is never
followed. Whoever listens on a socket is known from the kernel (SO_PEERCRED), not from the socket's path.
"""

from __future__ import annotations

import os
import stat
import sys

from crane_celery.errors import Untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, NoReturn

_SO_PEERCRED, _SOL_SOCKET = 17, 1
_OTHERS = 0o022


def directory(path: str) -> None:
    """Check that a directory is ours or root's, and nobody else's to change. Raises Untrusted, FileNotFoundError."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        _refuse(path, "is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        _refuse(path, "is no directory")
    _check(path, found)


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make a directory where there is none, whatever the umask, and check it as `directory` does. Raises Untrusted,
    OSError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        directory(path)
    else:
        os.chmod(path, mode)


def opened(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a file that is ours or root's, and nobody else's to change; return its descriptor. Raises Untrusted,
    OSError."""
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError as error:
        if os.path.islink(path):
            _refuse(path, "is a symbolic link", error)
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            _refuse(path, "is no plain file")
        _check(path, found)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_line(path: str) -> str:
    """Return the first line of a short file that `opened` would open. Raises Untrusted, OSError."""
    fd = opened(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096).decode("ascii", "replace").partition("\n")[0]
    finally:
        os.close(fd)


def check_listener(sock: socket.socket | Any, where: str) -> None:
    """Check that whoever listens at the other end of a Unix socket is root or our own user. Raises Untrusted."""
    if why := stranger_at(sock, where):
        raise Untrusted(why)


def stranger_at(sock: socket.socket | Any, where: str) -> str:
    """Return why nothing may be sent to whoever listens at the other end, "" for root and our own user."""
    uid = int.from_bytes(sock.getsockopt(_SOL_SOCKET, _SO_PEERCRED, 12)[4:8], sys.byteorder)
    return "" if uid in (0, os.geteuid()) else stranger(where, uid)


def stranger(where: str, uid: int) -> str:
    """Return why nothing is sent to a socket that this other user listens on; "" where users cannot be told apart (a
    user namespace shows those from outside as one)."""
    if uid == _overflow_uid() and not _sees_all_users():
        return ""
    return (
        f"whoever listens at {where} is uid {uid}, neither root nor you: nothing was sent there. A cluster that a user"
        " runs is for that user alone: start your own with `crane up`, ask for one that root runs, or name another with"
        " CRANE_HOME or CRANE_SOCKET"
    )


def check_server(sock: socket.socket | Any, path: str) -> None:
    """Check who listens on a server's socket: root, our own user, or (a server that somebody else runs) a user in whose
    directory nobody could have put it but root. Raises Untrusted."""
    if not _in_everybodys(os.path.realpath(path)):
        return
    check_listener(sock, path)


def _in_everybodys(path: str) -> bool:
    """Return whether a directory on the way, such as /tmp, is everybody's, and what lies in it is not ours or
    root's."""
    while path != "/":
        above = os.path.dirname(path)
        try:
            foreign = os.lstat(path).st_uid not in (0, os.geteuid())
            if foreign and os.stat(above).st_mode & stat.S_IWOTH:
                return True
        except OSError:
            return True
        path = above
    return False


def _check(path: str, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        _refuse(path, f"belongs to uid {found.st_uid}")
    if found.st_mode & _OTHERS:
        _refuse(path, f"can be written by others (mode {stat.S_IMODE(found.st_mode):o})")


def _refuse(path: str, why: str, cause: BaseException | None = None) -> NoReturn:
    raise Untrusted(
        f"{path} {why}: it must be ours alone (uid {os.geteuid()} or root, not a link, nobody else may write it)."
        " See who made it, remove it or take the others' right to write (chmod go-w), then try again"
    ) from cause


def _overflow_uid() -> int:
    try:
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 65534


def _sees_all_users() -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return sum(int(line.split()[2]) for line in file) >= 2**32 - 1
    except (OSError, ValueError, IndexError):
        return True
