"""ccon: container jobs and steps. Not there yet."""

from __future__ import annotations

import sys

from cli.common.later import later


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    return later("ccon", "Run and look after containers.", argv)


if __name__ == "__main__":
    sys.exit(main())
