"""Smaller option values: gres, signals, licences, export, names."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.export import apply_export, wants_user_env
from crane_celery.grammar.gres import parse_gpus_per_node, parse_gres
from crane_celery.grammar.licenses import License, LicenseRequest, format_licenses, parse_licenses
from crane_celery.grammar.names import check_entity_name, check_job_name, did_you_mean, instead
from crane_celery.grammar.signals import SignalSpec, format_signals, parse_signals, signal_name, signal_number
from tests.support.texts import format_gres

ENVIRON = {"A": "0", "B": "b", "CRANE_X": "1", "BASH_FUNC_f%%": "() { :; }"}


@pytest.mark.parametrize(
    ("text", "gres"),
    [
        ("gpu:2", {("gpu", ""): 2}),
        ("gpu:a100:2,fpga:1", {("gpu", "a100"): 2, ("fpga", ""): 1}),
        ("gpu:a100:2,gpu:1", {("gpu", "a100"): 2, ("gpu", ""): 1}),
        ("gpu:0", {}),
        ("gpu:7:1", {("gpu", "7"): 1}),
    ],
)
def test_gres(text: str, gres: dict[tuple[str, str], int]) -> None:
    assert parse_gres(text) == gres
    assert not gres or parse_gres(format_gres(gres)) == gres


@pytest.mark.parametrize(
    "text", ["", "gpu", "gpu:a100", ":2", "gpu::1", "gpu:a:b:1", "gpu:-1", "gpu:1,", "gpu:1,gpu:2", "g pu:1"]
)
def test_gres_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_gres(text)


@pytest.mark.parametrize(
    ("text", "gres"),
    [("2", {("gpu", ""): 2}), ("0", {}), ("a100:2,h100:1", {("gpu", "a100"): 2, ("gpu", "h100"): 1})],
)
def test_gpus_per_node(text: str, gres: dict[tuple[str, str], int]) -> None:
    assert parse_gpus_per_node(text) == gres


@pytest.mark.parametrize("text", ["", "a100", "2,a100:1", "a100:1,2", "a100:x", "a:1:2", "-1"])
def test_gpus_per_node_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_gpus_per_node(text)


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("B:USR1@60", [(10, 60, "B")]),
        ("SIGTERM", [(15, 60, "")]),
        ("15@10,HUP", [(15, 10, ""), (1, 60, "")]),
        ("R:sigint@0", [(2, 0, "R")]),
    ],
)
def test_signals(text: str, specs: list[tuple[int, int, str]]) -> None:
    parsed = parse_signals(text)
    assert parsed == tuple(SignalSpec(*spec) for spec in specs)
    assert parse_signals(format_signals(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "X:1", "@5", "USR1@", "USR1@x", "65", "0", "NOPE", "TERM,", "B:", "TERM@-1", "SIGSIGTERM", "TERM@31536001"],
)
def test_signals_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_signals(text)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("HUP", 1),
        ("ILL", 4),
        ("ABRT", 6),
        ("FPE", 8),
        ("KILL", 9),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("CHLD", 17),
        ("CONT", 18),
        ("STOP", 19),
        ("SYS", 31),
    ],
)
def test_signal_numbers_are_linux(name: str, number: int) -> None:
    assert signal_number(name) == signal_number("sig" + name.lower()) == signal_number(str(number)) == number
    assert signal_name(number) == name


def test_signal_edges() -> None:
    assert parse_signals("TERM@31536000")[0].before_s == 31_536_000
    with pytest.raises(InputError, match=r"'USR1@99999999999'.*31536000 seconds"):
        parse_signals("USR1@99999999999")
    assert signal_name(40) == "40"
    with pytest.raises(InputError, match="did you mean 'KILL'"):
        signal_number("KIL")


@pytest.mark.parametrize(
    ("text", "any_of", "items"),
    [
        ("matlab:2", False, [("matlab", "", 2)]),
        ("a@srv.x:1,b:2", False, [("a", "srv.x", 1), ("b", "", 2)]),
        ("a:1|b:2", True, [("a", "", 1), ("b", "", 2)]),
    ],
)
def test_licenses(text: str, any_of: bool, items: list[tuple[str, str, int]]) -> None:
    request = LicenseRequest(any_of, tuple(License(*item) for item in items))
    assert parse_licenses(text) == request
    assert format_licenses(request) == text


def test_a_license_without_a_count_is_one() -> None:
    assert format_licenses(parse_licenses("a,b@srv:2")) == "a:1,b@srv:2"


@pytest.mark.parametrize("text", ["", "a:", "a:0", "a1:1", "a:1,b:2|c:1", "a:1,a:2", "a@:1", "a:1,", "|", "a:-1"])
def test_licenses_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_licenses(text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("ALL", ENVIRON),
        ("NONE", {"CRANE_X": "1"}),
        ("NIL", {"CRANE_X": "1"}),
        ("A", {"CRANE_X": "1", "A": "0"}),
        ("A=1,Z", {"CRANE_X": "1", "A": "1"}),
        ("ALL,A=1,B", {**ENVIRON, "A": "1"}),
        ("A='x,y',B", {"CRANE_X": "1", "A": "x,y", "B": "b"}),
        ('A="it\'s"', {"CRANE_X": "1", "A": "it's"}),
        ('A={"k":1}', {"CRANE_X": "1", "A": '{"k":1}'}),
        ("A=x=y", {"CRANE_X": "1", "A": "x=y"}),
        ("A=", {"CRANE_X": "1", "A": ""}),
        ("A=a\nb", {"CRANE_X": "1", "A": "a\nb"}),
        ("CRANE_X=9", {"CRANE_X": "9"}),
        ("ALL=1", {"CRANE_X": "1", "ALL": "1"}),
    ],
)
def test_export(text: str, result: dict[str, str]) -> None:
    assert apply_export(text, ENVIRON) == result


@pytest.mark.parametrize("text", ["", ",", "A,", "1A", "A B", "NONE,A", "A,NIL", "A='x", "A='x'y", "=x", "A\0", "A=\0"])
def test_export_refused(text: str) -> None:
    with pytest.raises(InputError):
        apply_export(text, ENVIRON)


def test_only_none_wants_a_login_environment() -> None:
    assert [wants_user_env(text) for text in ("NONE", "NIL", "ALL", "A=1")] == [True, False, False, False]


@pytest.mark.parametrize("name", ["x", "", "a \"b\" 'c' $(d) %j", "作業 №1 🚀", "x" * 1024, "ü" * 512, "\t"])
def test_job_name_passes_exactly(name: str) -> None:
    assert check_job_name(name) == name


@pytest.mark.parametrize(
    "name", ["a\nb", "a\r", "a\0", "x" * 1025, "ü" * 513, "\udcff", "\x1b[31mred", "a\x7f", "a\x9b", "a\u2028b"]
)
def test_job_name_refused(name: str) -> None:
    with pytest.raises(InputError, match="job name"):
        check_job_name(name)


def test_entity_name() -> None:
    for name in ("phys_1", "a-b.c", "first.last@institute.example.edu", "x" * 255):
        assert check_entity_name(name) == name
    for name in ("", "_a", "-a", "a b", "a,b", "all", "ALL", "x" * 256, "a\n", "é"):
        with pytest.raises(InputError, match="bad qos name"):
            check_entity_name(name, "qos")


def test_did_you_mean() -> None:
    assert did_you_mean("afterko", ["after", "afterok"]) == "; did you mean 'afterok'?"
    assert did_you_mean("zzz", ["after", "afterok"]) == ""
    assert did_you_mean("jobID", ["JobId"]) == "; did you mean 'JobId'?"


def test_what_there_is_instead() -> None:
    many = [f"cn{number}" for number in range(100)]
    assert instead("cn1x", many, "cinfo").startswith("; did you mean 'cn")
    assert instead("zzz", many, "cinfo") == ": see cinfo"
    assert instead("zzz", ["b", "a"], "cinfo") == ": there are a, b"
    assert (instead("zzz", ["a"]), instead("zzz", [])) == (": there is a", ": there are none")
    assert instead("zzz", map(str, range(12))) == ": there are 0, 1, 10, 11, 2, 3, 4, 5, 6, 7 and 2 more"
