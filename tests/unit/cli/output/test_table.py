"""Tables by columns show what tables by rows show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import render
from cli.output.table import Text, first, lines, table, unfolded
from crane_celery.service.query.job_rows import PENDING
from crane_celery.service.query.queue import table as by_columns

COLUMNS = {
    "j": render.Column("JOBID", Text("jobid"), ("jobid",)),
    "n": render.Column("NAME", Text("name"), ("name",)),
    "x": render.Column("BOTH", lambda row: f"{row['name']}/{row['user']}", ("name", "user")),
}
WORDS = st.sampled_from(["", "a", "b" * 40, "per%cent", "new\nline", "é\udc80"])
ROWS = st.lists(st.fixed_dictionaries({"jobid": WORDS, "name": WORDS, "user": WORDS}), max_size=4)
FORMATS = st.sampled_from(["%j %n %x", "%j=%n", "%5j|%.4n|", "%x%%%n", "%.3x %j"])


@given(rows=ROWS, text=FORMATS, header=st.booleans(), cut=st.sampled_from([0, 30]))
def test_both_ways_give_the_same_lines(rows: list[dict[str, str]], text: str, header: bool, cut: int) -> None:
    fields = render.parse_format(text, COLUMNS)
    answer = by_columns((), rows, ["jobid", "name", "user"])
    assert list(table(fields, answer, header, cut)) == list(lines(fields, rows, header, cut))


def test_elements_are_made_up_to_the_limit() -> None:
    rows = [
        {"jobid": "7", "job": 7, "indexes": "", "count": 1, "name": "one"},
        {"jobid": "8_[0-999999]", "job": 8, "indexes": "0-999999", "count": 1_000_000, "name": "many"},
        {"jobid": "1000009", "job": 1000009, "indexes": "", "count": 1, "name": "last"},
    ]
    keys = ["jobid", "job", "indexes", "count", "name"]
    shown = unfolded(by_columns((), rows, keys), 3)
    assert shown["count"] == 3
    assert (shown["each"]["jobid"], shown["each"]["indexes"]) == (["7", "8_0", "8_1"], ["", "0", "1"])
    assert list(table(render.parse_format("%j %n", COLUMNS), shown, header=False)) == [
        "7   one",
        "8_0 many",
        "8_1 many",
    ]
    assert first(by_columns((), rows, keys), 1)["each"]["name"] == ["one"]


def test_a_key_that_rows_have_not() -> None:
    with pytest.raises(Exception, match="did you mean 'jobid'"):
        by_columns((), (), ["jobidd"])
    assert {"jobid", "state", "ranks"} <= set(PENDING)
