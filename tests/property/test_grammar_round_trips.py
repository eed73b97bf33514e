"""Test what a formatter writes, its parser reads back; and no text makes a parser fail in any way but its own error."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_celery.errors import FormatError, InputError
from crane_celery.grammar import printable
from crane_celery.grammar.array import IndexSet, parse_array
from crane_celery.grammar.dependency import (
    KINDS,
    Clause,
    Dependency,
    Term,
    display_term,
    parse_dependency,
)
from crane_celery.grammar.directives import split_script
from crane_celery.grammar.duration import FOREVER_S, format_duration, format_units, parse_delay, parse_duration
from crane_celery.grammar.export import apply_export
from crane_celery.grammar.filename import FilenameContext, check_filename, expand_filename
from crane_celery.grammar.format import Column, fit, parse_format
from crane_celery.grammar.gres import parse_gpus_per_node, parse_gres
from crane_celery.grammar.hostlist import expand
from crane_celery.grammar.interval import parse_interval
from crane_celery.grammar.licenses import License, LicenseRequest, format_licenses, parse_licenses
from crane_celery.grammar.memory import format_memory, parse_memory
from crane_celery.grammar.names import check_entity_name, check_job_name, did_you_mean
from crane_celery.grammar.ranges import RangeSet
from crane_celery.grammar.selector import Selector, format_selector, parse_selectors
from crane_celery.grammar.signals import SignalSpec, format_signals, parse_signals, signal_number
from crane_celery.grammar.when import format_when, parse_when
from crane_celery.grammar.words import split_words
from tests.support.texts import format_dependency, format_gres

NOW = datetime(2026, 10, 24, 18, 0, tzinfo=ZoneInfo("Europe/Berlin"))
ids = st.integers(1, 2**63 - 2)
parts = st.one_of(
    st.just(""),
    st.integers(0, 2**31 - 1).map(str),
    st.frozensets(st.integers(0, 99), min_size=1)
    .map(lambda model: RangeSet.of(model).text)
    .map(lambda t: IndexSet.parse(t).text),
)
delays = st.one_of(st.just(0), st.integers(0, FOREVER_S - 1))
words = st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True)


@st.composite
def dependencies(draw: st.DrawFn) -> Dependency:
    """Any expression whose targets are all different."""
    jobs = draw(st.lists(ids, min_size=1, max_size=6, unique=True))
    clauses: list[Clause] = []
    while jobs:
        kind = draw(st.sampled_from([kind for kind in KINDS if kind != "singleton"]))
        taken, jobs = jobs[:2], jobs[2:]
        clauses.append(Clause(tuple(Term(kind, job, draw(parts), draw(delays)) for job in taken)))
    if draw(st.booleans()):
        clauses.append(Clause((Term("singleton", 0, "", 0),)))
    return Dependency(len(clauses) > 1 and draw(st.booleans()), tuple(clauses))


@settings(deadline=None)
@given(dependencies())
def test_dependency(value: Dependency) -> None:
    assert parse_dependency(format_dependency(value)) == value
    assert all(display_term(term).startswith(term.kind) for clause in value.clauses for term in clause.terms)


@settings(deadline=None)
@given(dependencies(), st.data())
def test_a_job_named_twice_is_refused(value: Dependency, data: st.DataObject) -> None:
    again = data.draw(st.sampled_from([term for clause in value.clauses for term in clause.terms]))
    glue = "?" if value.any_of else ","
    with pytest.raises(InputError, match="duplicate"):
        parse_dependency(f"{format_dependency(value)}{glue}{format_dependency(Dependency(False, (Clause((again,)),)))}")


@settings(deadline=None)
@given(st.integers(0, FOREVER_S - 1))
def test_durations(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds
    assert parse_duration(format_units(seconds)) == seconds
    assert parse_delay(format_units(seconds)) == seconds
    soon = min(seconds, 10**9)
    assert parse_when(f"now+{soon}", NOW).timestamp() - NOW.timestamp() == soon


@settings(deadline=None)
@given(st.integers(0, 2**40))
def test_memory(size: int) -> None:
    shown = parse_memory(format_memory(size))
    assert parse_memory(f"{size}B") == size
    assert shown == size // 2**20 * 2**20 or (0 < size < 2**20 and shown == 2**20)
    assert format_memory(shown) == format_memory(size)


@settings(deadline=None)
@given(
    st.lists(st.builds(Selector, ids, parts, st.none() | st.integers(1, 2**40)), min_size=1, max_size=5, unique=True)
)
def test_selectors(items: list[Selector]) -> None:
    assert parse_selectors(" , ".join(map(format_selector, items))) == tuple(items)


@settings(deadline=None)
@given(st.dictionaries(st.tuples(words, st.just("") | words), st.integers(1, 2**31 - 1), min_size=1, max_size=4))
def test_gres(gres: dict[tuple[str, str], int]) -> None:
    assert parse_gres(format_gres(gres)) == gres


@settings(deadline=None)
@given(
    st.lists(
        st.builds(SignalSpec, st.integers(1, 64), st.integers(0, 10**6), st.sampled_from(["", "B", "R"])), min_size=1
    )
)
def test_signals(specs: list[SignalSpec]) -> None:
    assert parse_signals(format_signals(tuple(specs))) == tuple(specs)


license_items = st.lists(
    st.builds(License, words, st.just("") | words, st.integers(1, 2**31 - 1)),
    min_size=1,
    max_size=4,
    unique_by=lambda item: item[:2],
)


@settings(deadline=None)
@given(license_items, st.booleans())
def test_licenses(items: list[License], any_of: bool) -> None:
    request = LicenseRequest(any_of and len(items) > 1, tuple(items))
    assert parse_licenses(format_licenses(request)) == request


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r\0'", codec="utf-8")), max_size=5))
def test_quoted_words_come_out_as_they_went_in(argv: list[str]) -> None:
    assert split_words(" ".join(f"'{word}'" for word in argv)) == tuple(argv)
    soft = [word.replace("\\", "\\\\").replace('"', '\\"') for word in argv]
    assert split_words("\t".join(f'"{word}"' for word in soft)) == tuple(argv)


@settings(deadline=None)
@given(st.dictionaries(words, st.text(st.characters(exclude_characters="\0'", codec="utf-8")), max_size=5))
def test_exported_values_come_out_as_they_went_in(wanted: dict[str, str]) -> None:
    text = ",".join(["ALL", *(f"{name}='{value}'" for name, value in wanted.items())])
    assert apply_export(text, {"KEEP": "1"}) == {"KEEP": "1", **wanted}


@settings(deadline=None)
@given(st.text(), st.integers(1, 20), st.booleans())
def test_fit_is_exact(value: str, width: int, right: bool) -> None:
    assert printable.width(fit(printable.printable(value), width, right)) == width


@settings(deadline=None)
@given(st.lists(st.builds(Column, st.sampled_from(["j", "State"]), st.integers(0, 999), st.booleans()), min_size=1))
def test_format(columns: list[Column]) -> None:
    text = "".join(f"%{'.' if right else ''}{width or ''}{name}" for name, width, right in columns)
    assert list(parse_format(text, ["j", "State", "jState"])) == columns or "jState" in text


@settings(deadline=None)
@given(
    st.datetimes(datetime(1980, 1, 2), datetime(2200, 1, 1)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_moments(naive: datetime, zone: str) -> None:
    moment = naive.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    real = moment.astimezone(UTC).astimezone(moment.tzinfo)
    # by their timestamps: across zones Python calls equal moments of a repeated hour unequal
    shown = parse_when(format_when(real).replace(" ", "T"), real).timestamp()
    assert shown in (real.timestamp(), real.replace(fold=0).timestamp())
    assert parse_when(real.isoformat(), NOW).timestamp() == real.timestamp()


CONTEXT = FilenameContext(1, None, None, 2, "h", 3, 4, "u", "x", 5)
PARSERS: dict[str, Callable[[str], Any]] = {
    "duration": parse_duration,
    "delay": parse_delay,
    "memory": parse_memory,
    "hosts": expand,
    "ranges": RangeSet.parse,
    "array": parse_array,
    "dependency": parse_dependency,
    "selectors": parse_selectors,
    "gres": parse_gres,
    "gpus": parse_gpus_per_node,
    "signals": parse_signals,
    "signal": signal_number,
    "licenses": parse_licenses,
    "filename": check_filename,
    "script": split_script,
    "when": lambda text: parse_when(text, NOW),
    "interval": lambda text: parse_interval(text, NOW),
    "export": lambda text: apply_export(text, {"A": "1"}),
    "job name": check_job_name,
    "entity": check_entity_name,
    "format": lambda text: parse_format(text, ["j", "state"]),
}
LIKELY = "0123456789-:,+?%[]_.@~=|#!'\"\\/ \t\n\0aAbBdhjmnotwxTZ²٣é"
texts = st.one_of(st.text(max_size=40), st.text(LIKELY, max_size=25), st.just("9" * 5000))
after = texts.map(lambda text: "afterok:" + text)


@pytest.mark.parametrize("name", PARSERS)
@settings(deadline=None)
@given(text=st.one_of(texts, after))
def test_nothing_but_the_own_error_on_any_text(name: str, text: str) -> None:
    try:
        PARSERS[name](text)
    except (InputError, FormatError) as error:
        message = str(error)
        assert "\n" not in message
        assert len(message) < 600


@settings(deadline=None)
@given(texts)
def test_what_never_fails(text: str) -> None:
    assert isinstance(expand_filename(text, CONTEXT), str)
    assert isinstance(did_you_mean(text, KINDS), str)
    split_words(text)
