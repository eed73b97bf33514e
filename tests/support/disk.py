"""Small disks, to be filled. They need root."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
