"""The shepherd's end of the fork server, which makes spawners (workers.spawner.fork_server)."""

import errno
import json
import os
import socket
import sys

from workers.common.proc import FORK_FD, marks

#: seconds that it may take to fork: one that does not answer is left to itself
_ANSWER_S = 10.0
#: the module whose main the shepherd's own command line calls, and that of the fork server
_OURS, _ITS = "workers.shepherd.loop", "workers.spawner.fork_server"


class ForkServer:
    """A fork server of this shepherd; another one is started where it was killed."""

    def __init__(self) -> None:
        """Start one, in the shepherd's own cgroup, with nothing of it but its standard descriptors."""
        self._start()

    def _start(self) -> None:
        self._sock, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.settimeout(_ANSWER_S)
        actions = [(os.POSIX_SPAWN_DUP2, fd, at) for fd, at in ((other.fileno(), FORK_FD), *marks())]
        with other:
            argv = list(sys.orig_argv)
            code = argv.index("-c") + 1
            argv[code] = argv[code].replace(_OURS, _ITS)
            self.pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)

    def fork(self, listener: int, journal: int, user: tuple[int, int, list[int]], *, no_new_privs: bool) -> int:
        """A new spawner's pid. Raises OSError; ConnectionError when the server died: by then there is another one, and
        a spawner may have been made that nobody knows, so the next needs a listener of its own."""
        try:
            socket.send_fds(self._sock, [json.dumps([user, no_new_privs]).encode()], [listener, journal])
            answer = self._sock.recv(64)
        except (ConnectionError, TimeoutError):
            answer = b""
        if not answer:
            self._sock.close()
            self._start()
            raise ConnectionResetError("the fork server was killed")
        if not int(answer):
            raise OSError(errno.ENOMEM, "the host has no room for another process")
        return int(answer)

    def close(self) -> None:
        """Let it end."""
        self._sock.close()
