"""All grammars: a text in, and what is made of the result afterwards, as the programs do."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from crane_celery.grammar import (
    array,
    constraint,
    dependency,
    directives,
    duration,
    export,
    filename,
    gres,
    hostlist,
    interval,
    licenses,
    memory,
    names,
    pages,
    printable,
    selector,
    signals,
    when,
)
from crane_celery.grammar import format as formats
from crane_celery.grammar import words as shell_words
from crane_celery.grammar.ranges import RangeSet
from crane_celery.model import dependency as resolved
from crane_celery.model import overrides, tagged
from crane_celery.model.fields import lsf
from crane_celery.model.job import JobSpec
from crane_celery.service.shared.time_zones import moment, shown, zone_of
from crane_celery.simulation import trace
from tests.fuzz.source import Source
from tests.fuzz.strange import mutated, text
from tests.fuzz.target import Target
from tests.support.texts import format_dependency

_RANGES = ("1-3", "5", "0-99:3", "%2", "[", "]", ",", "-", ":", "7", "999999", "1000000", "2147483647", "4294967295")
_TIMES = (
    "1-00:00:00", "00:10", "5", ":", "-", "d", "h", "m", "s", "ms", "days", "weeks", "unlimited", "INFINITE", "1d2h",
    " "
)  # fmt: skip
_MOMENTS = (
    "now", "+", "-", "1h", "tomorrow", "friday", "next", "noon", "midnight", "teatime", "16:00", "2026-11-29", "T",
    "9999-12-31",
    "0001-01-01", "23:59:59", "11/29", "/99", "pm", "Z", "+14:00", "-23:59", " ", "ago", "days", "weeks", "99999999",
    "~", "today",
    "1129", "yesterday",
)  # fmt: skip
_IDS = ("12", "_", "[1-3]", "*", ".", "2", ",", "4", "999999999999", "18446744073709551616")
_SCRIPT = (
    "#!/bin/sh\n", "#!", "/usr/bin/env python3", "#SBATCH ", "#CBATCH ", "#BSUB ", "#PBS ", "#sbatch ", "-t 5",
    "--mem=1G", "-J ",
    "'", '"', "\\\n", "\n", "<<EOF\n", "EOF\n", "<<-'X'", "echo x", "$((", "))", "`", "if true; then", "# ", " ",
    "\t", "\xa0",
    "\ufeff", '"""', "=begin\n", "\r\n", "-o %J", "-n 4", "-W 1:00", "-R 'span[hosts=1]'", "-q", "-c 5", "-w 'done(1)'",
)  # fmt: skip
_CHANGES = ("[", "]", '"0-3"', ",", "5", "1.5", '"*', "NaN", "{", "}", '"limit"', ":", "1e999", '""', "-1", "null")
_BASE = datetime.datetime(2026, 11, 29, 14, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-5)))
_LAST = datetime.datetime(9999, 12, 31, 23, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=-14)))
_CONTEXT = filename.FilenameContext(12, 10, 3, 1, "cn1.site", 0, 0, "bob", "a/b", 2)
_SPEC = JobSpec(name="a", uid=1, gid=1, user="u", memory=1 << 30, array="0-9")


def _texts(*words: str) -> Callable[[Source], str]:
    return lambda source: text(source, words)


def _valid(examples: Sequence[str], words: Sequence[str]) -> Callable[[Source], Any]:
    """Valid texts with changes, or texts of the grammar's words."""
    return lambda source: text(source, words) if source.once_in(3) else mutated(source, source.pick(examples), words)


def _string(check: Callable[[str], object]) -> Callable[[Any], object]:
    """For targets whose changed example may be another value: the grammars take texts, others are their callers'."""
    return lambda value: check(value) if isinstance(value, str) else None


def _array(value: str) -> None:
    found = array.parse_array(value)
    indexes = found.indexes
    assert 1 <= len(indexes) <= 1_000_000
    assert len(array.IndexSet.parse(indexes.text)) == len(indexes)
    (
        indexes.rank_of(indexes.last),
        indexes.index_of(len(indexes) - 1),
        indexes.text_of(RangeSet.span(0, min(5, len(indexes) - 1))),
    )


def _dependency(value: str) -> None:
    parsed = dependency.parse_dependency(value)
    assert dependency.parse_dependency(format_dependency(parsed)) == parsed
    for clause in parsed.clauses:
        for term in clause.terms:
            dependency.display_term(term)


def _duration(value: str) -> None:
    seconds = duration.parse_duration(value)
    duration.format_duration(seconds)
    if seconds is not None:
        assert seconds >= 0
        duration.format_units(seconds)


def _when(value: str) -> None:
    for base in (_BASE, _LAST):
        for past in (False, True):
            found = when.parse_when(value, base, past)
            found.timestamp()
            when.format_when(found)


def _interval(value: str) -> None:
    found = interval.parse_interval(value, _BASE, True)
    for each in found:
        when.format_when(each)


def _moment(value: Any) -> None:
    said, zone = value
    shown(moment(said, 1.8e9, zone), zone)
    zone_of(zone)


def _memory(value: str) -> None:
    size = memory.parse_memory(value)
    assert 0 <= size < 1 << 63
    memory.format_memory(size)


def _hostlist(value: str) -> None:
    found = hostlist.expand(value)
    if len(found) < 10_000:
        assert sorted(hostlist.expand(hostlist.compress(found))) == sorted(found)
        assert hostlist.expand(hostlist.in_order(found)) == found


def _selectors(value: str) -> None:
    for each in selector.parse_selectors(value, 0):
        assert selector.parse_selectors(selector.format_selector(each), 0) == (each,)


def _filename(value: str) -> None:
    assert len(filename.expand_filename(filename.check_filename(value), _CONTEXT)) < 1 << 20


def _signals(value: str) -> None:
    found = signals.parse_signals(value)
    assert signals.parse_signals(signals.format_signals(found)) == found


def _constraint(value: str) -> None:
    found = constraint.parse_constraint(value)
    constraint.satisfies({"ssd"}, found)
    constraint.format_constraint(found)


def _names(value: str) -> None:
    for check in (names.check_job_name, names.check_entity_name):
        check(value)
    names.did_you_mean(value, ("alpha", "beta"))


def _format(value: str) -> None:
    for part in formats.parse_format(value, ("j", "N", "JobName")):
        if isinstance(part, formats.Column):
            formats.fit("value", part.width, part.right)


def _printable(value: str) -> None:
    for made in (printable.visible(value), printable.printable(value)):
        printable.cut(made, 20), printable.padded(made, 20), printable.width(made)


def _ranges(value: str) -> None:
    found = RangeSet.parse(value)
    assert RangeSet.parse(found.text) == found
    other = RangeSet.parse("0-9,20")
    (found | other), (found & other), (found - other), found.take(3), bool(found), len(found)


def _script(value: str) -> None:
    directives.split_script(value)
    directives.interpreter_of(value)
    shell_words.split_words(value)
    shell_words.strange_blank(value)


def _tags(value: str) -> None:
    found = tagged.decode(value)
    tagged.tag(value, RangeSet.span(0, 2), 5.0), tagged.number_of(value, 1), tagged.untag(value, RangeSet.span(0, 2))
    tagged.encode(found)


def _resolved(value: str) -> None:
    dep = resolved.decode(value)
    resolved.encode(dep)
    facts = {block: resolved.Facts(1, 1, 1, 5.0) for group in dep.groups for block in group}
    resolved.judge(dep, facts)


def _overrides(value: str) -> None:
    overrides.decode(value)
    overrides.spec_of(_SPEC, value, 3)
    overrides.spec_parts(_SPEC, value, RangeSet.span(0, 9))
    overrides.change(value, RangeSet.span(0, 2), {"time_limit": 5})


def _zones(source: Source) -> list[str]:
    zones = (
        "",
        "UTC",
        "Europe/Berlin",
        "../../etc/passwd",
        "/etc/localtime",
        "EST5EDT",
        "+05:30",
        "<x>5",
        "-24:00",
        "Factory",
    )
    zone = source.pick(zones) if not source.once_in(3) else text(source, ("Europe", "/", "Berlin", "..", "+", "05:00"))
    return [text(source, _MOMENTS), zone]


def _trace(source: Source) -> list[str]:
    rows = [
        "1 0 5 100 4 -1 -1 4 100 -1 1 1 1 1 1 -1 -1 -1",
        "2 9 5 0.5 1 -1 1024 1 -1 99 1 7 1 1 1 -1 -1 -1",
        "; a comment",
    ]
    lines = [mutated(source, source.pick(rows).split(" ")) for _ in range(1 + source.below(4))]
    return [" ".join(map(str, line)) if isinstance(line, list) else str(line) for line in lines]


_BLOCK = (
    '{"any":false,"groups":[[["afterok",10,10,5,0,"afterok:10"]]]}', '[false,[[["afterok",10,10,5,0,"afterok:10"]]]]',
    '[true,[[["aftercorr",10,10,5,60,"aftercorr:10+1",0.0,"0-4","0-4"]],[["singleton",0,0,0,0,"singleton"]]]]',
)  # fmt: skip
TARGETS = (
    Target("array", _valid(["1-5", "0-99:2%4", "1,3,7-9"], _RANGES), _string(_array)),
    Target(
        "dependency",
        _valid(
            ["afterok:12", "afterany:12_[1-3]+10,after:5?afternotok:7", "singleton"],
            ("afterok", "aftercorr", "afternotok", "after", "singleton", ":", ",", "?", "+", *_IDS, *_TIMES),
        ),
        _string(_dependency),
    ),
    Target("duration", _texts(*_TIMES), _string(_duration)),
    Target("delay", _texts(*_TIMES), _string(duration.parse_delay)),
    Target("when", _texts(*_MOMENTS), _string(_when)),
    Target("interval", _texts(*_MOMENTS), _string(_interval)),
    Target("moment", _zones, _moment),
    Target("memory", _texts("1", "G", "M", "K", "T", "P", "iB", "B", ".", "5", "c", "n", " ", "1.5"), _string(_memory)),
    Target("hostlist", _texts("cn", "[1-3]", "[01-99999]", ",", "[", "]", "-", "[1,3]", "a.b"), _string(_hostlist)),
    Target("selectors", _texts(*_IDS), _string(_selectors)),
    Target("part", _texts(*_RANGES), _string(selector.parse_part)),
    Target("gres", _texts("gpu", ":", "a100", ":2", ",", "0", "fpga:1"), _string(gres.parse_gres)),
    Target("gpus", _texts("a100", ":", "2", ",", "0"), _string(gres.parse_gpus_per_node)),
    Target("filename", _texts("%j", "%A", "%5a", "%", "/", "out", "\\", "x", "%99999x", "~", "$A"), _string(_filename)),
    Target("script", _texts(*_SCRIPT), _string(_script)),
    Target("constraint", _texts("ssd", "&", "|", "(", ")", ",", "skylake", " "), _string(_constraint)),
    Target(
        "licenses",
        _texts("matlab", ":1", ",", "|", "@srv", ":", "0"),
        _string(lambda v: licenses.format_licenses(licenses.parse_licenses(v))),
    ),
    Target("signals", _texts("USR1", "@60", "B:", "R:", ",", "SIG", "15", "RTMIN", "@"), _string(_signals)),
    Target("format", _texts("%j", "%.10", "%N", "%%", "JobName", "%-", "%99999"), _string(_format)),
    Target(
        "export",
        _texts("ALL", "NONE", ",", "A=1", "B", "'", '"', "=", "NIL"),
        _string(lambda v: export.apply_export(v, {"A": "b", "CRANE_X": "y"})),
    ),
    Target("names", _texts("a", "-", ".", "@", " "), _string(_names)),
    Target("printable", _texts("a", "\u202e", "\x1b[0m", "\u0301", "\U0001f468\u200d", "\u4e2d"), _string(_printable)),
    Target(
        "ranges",
        _valid(["0-4,7", "*ffffffff", "*" + pages.text_of((1 << 9000) // 3)], (*_RANGES, "*", "x", "f")),
        _string(_ranges),
    ),
    Target(
        "lsf",
        lambda source: [text(source, _SCRIPT[-8:]) for _ in range(source.below(5))],
        lambda v: lsf.translate(tuple(v)),
    ),
    Target("tags", _valid(['[["0-3",5],["7",9.5]]'], _CHANGES), _string(_tags), faults=True, expected=(Exception,)),
    Target("resolved", _valid(_BLOCK, _CHANGES), _string(_resolved), faults=True, expected=(Exception,)),
    Target(
        "overrides",
        _valid(['[["0-3",{"time_limit":60}]]'], _CHANGES),
        _string(_overrides),
        faults=True,
        expected=(Exception,),
    ),
    Target("trace", _trace, lambda v: trace.read(v, "t.swf")),
)
