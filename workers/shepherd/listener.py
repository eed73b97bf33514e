"""The shepherd's own socket: made anew where its file is gone, as a cleaner of /tmp may do. Standard library only."""

import contextlib
import logging
import os
import selectors
import socket
from collections.abc import Callable

from crane_celery.errors import Untrusted
from crane_celery.wire.link import Message, listen
from workers.common import run_directory

log = logging.getLogger("crane.shepherd")

#: seconds between two looks
LOOK_S = 5.0


class Doorstep:
    """The listening socket, registered with the loop as "new"."""

    def __init__(self, config: Message, selector: selectors.BaseSelector, renew_others: Callable[[], None]) -> None:
        """Listen; ``renew_others`` makes what else lies in the node's run directory anew."""
        self._config, self._selector, self._renew_others = config, selector, renew_others
        self.path = config["run"] + "/shepherd.sock"
        self._said = ""
        self._bind()

    def _bind(self) -> None:
        run_directory.prepare(self._config["run"])
        self._listener = listen(self.path, 0o666)
        self._known = os.lstat(self.path)
        self._selector.register(self._listener, selectors.EVENT_READ, ("new", None))

    def accept(self) -> socket.socket:
        """Take a connection that waits. Raises BlockingIOError where there is none, OSError."""
        return self._listener.accept()[0]

    def look(self) -> None:
        """Make the sockets anew that are gone. Never raises OSError: it is tried again."""
        try:
            if not self._is_there():
                old = self._listener
                self._bind()
                self._selector.unregister(old)
                old.close()
                log.warning("the socket %s was gone: made again", self.path)
            self._renew_others()
        except (OSError, Untrusted) as error:
            if str(error) != self._said:
                self._said = str(error)
                log.error("the node's sockets cannot be made again: %s", error)

    def _is_there(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.lstat(self.path), self._known)
        return False

    def close(self) -> None:
        """Take the socket's name away, if it is still ours."""
        with contextlib.suppress(OSError):
            if self._is_there():
                os.unlink(self.path)
