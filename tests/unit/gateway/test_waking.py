"""A read that waits misses no signal, whichever thread it reaches and however late."""

import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from crane_celery.gateway.waking import Waking


class Interrupted(Exception):
    """Raised by the handler."""


@pytest.fixture
def handled() -> Iterator[None]:
    """SIGUSR1 raises, as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("handled")
def test_a_signal_that_does_not_interrupt_the_read_ends_it() -> None:
    here, there = socket.socketpair()

    def signal_in_this_thread() -> None:  # the read of the main thread is not interrupted by it
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    with here, there, Waking() as waking:
        thread = threading.Thread(target=signal_in_this_thread)
        with pytest.raises(Interrupted):
            thread.start()
            waking.recv(here, 10, 60.0)
        thread.join()
    assert signal.set_wakeup_fd(-1) == -1


def test_what_comes_is_read_and_silence_ends() -> None:
    here, there = socket.socketpair()
    with here, there, Waking() as waking:
        there.sendall(b"abc")
        assert waking.recv(here, 2, 60.0) == b"ab"
        assert waking.recv(here, 2, 60.0) == b"c"
        with pytest.raises(TimeoutError):
            waking.recv(here, 2, 0.01)
        there.close()
        assert waking.recv(here, 2, 60.0) == b""


def test_another_thread_only_reads() -> None:
    here, there = socket.socketpair()
    read: list[bytes] = []

    def receive() -> None:
        with Waking() as waking:
            read.append(waking.recv(here, 9, 60.0))

    with here, there:
        there.sendall(b"abc")
        thread = threading.Thread(target=receive)
        thread.start()
        thread.join()
    assert read == [b"abc"]
