"""Merge the counts of all modules into a report and a plot.

Usage: merge.py COUNTS_FOLDER MODULES_LIST REPORT PLOT
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from plot import scatter

_COLUMNS = ("lines", "functions", "classes", "imports", "complexity")
_SHOWN = 10


def merge(folder: Path, modules: list[str]) -> list[dict[str, int | str]]:
    """One row per module, the most complex first. Raises OSError when one is missing."""
    rows = [json.loads((folder / f"{number}.json").read_text()) for number in range(len(modules))]
    return sorted(rows, key=lambda row: (-row["complexity"], row["module"]))


def report(rows: list[dict[str, int | str]], plot: str) -> str:
    """The report as Markdown."""
    totals = {name: sum(int(row[name]) for row in rows) for name in _COLUMNS}
    heads = ["| module | " + " | ".join(_COLUMNS) + " |", "|---|" + "---:|" * len(_COLUMNS)]
    body = [_line(Path(str(row["module"])).name, row) for row in rows[:_SHOWN]]
    return "\n".join(
        (
            f"# The standard library of Python {sys.version.split()[0]}",
            "",
            f"{len(rows)} modules, {totals['lines']} lines. The {_SHOWN} most complex, and the sum of all:",
            "",
            *heads,
            *body,
            _line("**all**", totals),
            "",
            f"![complexity against lines, both logarithmic]({plot})",
            "",
        )
    )


def _line(name: str, row: dict[str, int | str] | dict[str, int]) -> str:
    return f"| {name} | " + " | ".join(str(row[column]) for column in _COLUMNS) + " |"


if __name__ == "__main__":
    counts, listing, text, picture = map(Path, sys.argv[1:])
    merged = merge(counts, listing.read_text().splitlines())
    text.write_text(report(merged, picture.name))
    picture.write_bytes(scatter((int(row["lines"]), int(row["complexity"])) for row in merged))
    sys.stdout.write(f"{len(merged)} modules merged\n")
