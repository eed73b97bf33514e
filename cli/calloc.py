"""calloc: an interactive allocation. Not there yet."""

from __future__ import annotations

import sys

from cli.common.later import later


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return later("calloc", "Allocate resources and open a shell that may use them.", argv)


if __name__ == "__main__":
    sys.exit(main())
