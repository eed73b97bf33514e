"""The table of counts in docs/architecture.md is that of about now, and not better than the code."""

import re

from tests.arch import metrics

#: a count may have grown by a quarter and so much, before the page must be made again: it must not flatter
SLACK = 8


def test_the_page_has_about_the_counts_of_now() -> None:
    written = [_row(line) for line in metrics.written().splitlines()[2:]]
    now = [_row(line) for line in metrics.table().splitlines()[2:]]
    assert [what for what, _ in written] == [what for what, _ in now], "make docs"
    for (what, old), (_, new) in zip(written, now, strict=True):
        assert list(old) == list(new), f"{what}: make docs"
        grown = {name: (old[name], count) for name, count in new.items() if count > old[name] * 1.25 + SLACK}
        assert grown == {}, f"{what}: make docs"


def test_a_count_is_of_what_it_says() -> None:
    counts = {row.what: row.counts for row in metrics.rows()}
    assert counts["lines of a function"]["max"] <= 61
    assert counts["lines of a file"]["max"] <= 400
    assert counts["docstrings"]["there are"] > 1000


def test_docstrings_begin_with_a_verb_or_name_the_thing() -> None:
    counts = {row.what: row.counts for row in metrics.rows()}
    assert counts["docstrings"]["first word What, Who, Whether, Where, How or So"] == 0


def _row(line: str) -> tuple[str, dict[str, int]]:
    """Return what was counted, and the numbers by their names."""
    _, what, found, _ = line.split("|")
    parts = re.findall(r"(.+?) ([\d,]*\d)(?:, |$)", found.strip())
    return what.strip(), {name: int(count.replace(",", "")) for name, count in parts}
