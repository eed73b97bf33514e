"""Making folders, however deep. Standard library only."""

import os


def make_folders(path: str) -> None:
    """Make a folder and those above it, as far as they are missing (os.makedirs recurses: 1,000 levels end it).

    Raises OSError.
    """
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
        if missing[-1] == path:
            break
    for each in reversed(missing):
        try:
            os.mkdir(each)
        except FileExistsError:
            if not os.path.isdir(each):
                raise
