"""Small disks, to be filled, and clusters over them. They need root."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

MIB = 1 << 20


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own at ``folder``."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def cluster_over(place: str, size: int, *args: str, config: str = "") -> Iterator[Cluster]:
    """A cluster whose folder ``place``, counted from its home, is a small disk; skips where that needs root.

    ``args`` are those of `crane up`, ``config`` its configuration, "" for one that it makes.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root: it mounts small disks")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crane-test-", dir="/tmp")))
        folder.chmod(0o755)
        made = Cluster(folder)
        mounted = made.home / place
        mounted.parent.mkdir(parents=True, exist_ok=True)
        stack.enter_context(disk(mounted, size))
        if config:
            (made.home / "config.yaml").write_text(config)
        stack.callback(made.run, "crane", "down", code=None)
        made.up(*args)
        yield made
        made.down()


def fill(folder: Path, left: int) -> Path:
    """Fill the file system so that ``left`` bytes are free (0: to the last byte); the file that does it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        found = os.statvfs(folder)
        if left:
            os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - left)
        with contextlib.suppress(OSError):
            while not left:
                file.write(bytes(4096))
    return ballast


def top_up(ballast: Path) -> None:
    """Take what has become free since it was filled: somebody removed a file."""
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
