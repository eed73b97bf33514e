"""ccontrol: what each action asks of the gateway, how its answer is told, and what is no action."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cli import ccontrol
from cli.common import control_words
from crane_celery.errors import InputError
from tests.unit.cli.support import Said, Shell


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Provide what the gateway was asked; it does everything but to job 99."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def call(verb: str, args: dict[str, Any], _path: str | None = None) -> Any:
        calls.append((verb, args))
        names = args.get("names") or args["selectors"].split(",")
        return {
            "done": [name for name in names if name != "99"],
            "failed": [[name, "Job not found"] for name in names if name == "99"],
        }

    monkeypatch.setattr("crane_celery.gateway.client.call", call)
    return calls


@pytest.fixture
def control(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command, without a gateway."""

    def run(*argv: str) -> Said:
        return Said(ccontrol.main(list(argv)), *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("line", "verb", "args"),
    [
        ("hold 12", "hold", {"selectors": "12"}),
        ("holdu 12 13_[1-3]", "hold", {"selectors": "12,13_[1-3]"}),
        ("uhold jobid=12", "hold", {"selectors": "12"}),
        ("HOLD 12 TimeLimit=1:00:00", "hold", {"selectors": "12", "time": "1:00:00"}),
        ("hold 12 timelimit 30", "hold", {"selectors": "12", "time": "30"}),
        ("release 36", "release", {"selectors": "36"}),
        ("suspend 36_2", "suspend", {"selectors": "36_2"}),
        ("resume 36", "resume", {"selectors": "36"}),
        ("requeue 36", "requeue", {"selectors": "36"}),
        ("requeue Incomplete 36", "requeue", {"selectors": "36", "incomplete": True, "running": False}),
        ("requeue incomplete --running 36 37", "requeue", {"selectors": "36,37", "incomplete": True, "running": True}),
        ("requeue 36 mem=1G Time+=30", "requeue", {"selectors": "36", "set": {"mem": "1G", "time": "+30"}}),
        ("requeue jobid=36,37 comment x", "requeue", {"selectors": "36,37", "set": {"comment": "x"}}),
        ("requeuehold incomplete 36", "requeuehold", {"selectors": "36", "incomplete": True, "running": False}),
        ("requeuehold jobid 36", "requeuehold", {"selectors": "36"}),
        ("top 7", "top", {"selectors": "7"}),
        ("update JobId=12 Time=5 Qos=3", "update", {"selectors": "12", "set": {"time": "5", "qos": "3"}}),
        ("update job 12 timelimit 5", "update", {"selectors": "12", "set": {"timelimit": "5"}}),
        ("update job jobid=12 timelimit=5", "update", {"selectors": "12", "set": {"timelimit": "5"}}),
        ("update timelimit+=30 jobid=12_[1,2]", "update", {"selectors": "12_[1,2]", "set": {"timelimit": "+30"}}),
        ("update jobid=12 dependency=", "update", {"selectors": "12", "set": {"dependency": ""}}),
        ("update jobid=12 comment='a=b'", "update", {"selectors": "12", "set": {"comment": "a=b"}}),
        (
            "update nodename=cn[1,2],cn7 state=Drain reason=disks",
            "update_node",
            {"names": ["cn[1,2]", "cn7"], "state": "drain", "reason": "disks"},
        ),
        ("update node cn1 state resume", "update_node", {"names": ["cn1"], "state": "resume", "reason": ""}),
    ],
)  # fmt: skip
def test_what_is_asked(
    control: Callable[..., Said], asked: list[tuple[str, dict[str, Any]]], line: str, verb: str, args: dict[str, Any]
) -> None:
    assert control(*line.split(" ")).code == 0
    if "set" in args:  # times are meant in the caller's zone
        assert asked[0][1].pop("tz")
    assert asked == [(verb, args)]


def test_what_is_told(control: Callable[..., Said], asked: list[Any]) -> None:
    assert control("update", "jobid=1,2", "priority=5").out == "Jobs 1, 2 modified successfully.\n"
    assert control("requeue", "1").out == "Job 1 requeued successfully.\n"
    failed = control("requeue", "1,99")
    assert failed == (4, "Job 1 requeued successfully.\n", "Failed to requeue job: 99. Reason: Job not found.\n")
    assert control("hold", "99").err == "Failed to modify job: 99. Reason: Job not found.\n"
    assert control("update", "nodename=cn1", "state=resume").out == "Nodes cn1 modified successfully.\n"
    as_json = control("--json", "release", "1,99")
    assert (as_json.code, json.loads(as_json.out)) == (
        4,
        {"ok": False, "modified": ["1"], "failed": [["99", "Job not found"]]},
    )
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("update", 2, "update what?"),
        ("update jobid=12", 2, "to what?"),
        ("update jobid= timelimit=5", 2, "update what?"),
        ("update jobid=12 timelimit", 2, "has no value"),
        ("update jobid=12 =5", 2, "has no key"),
        ("update jobid=12 timelimit=5 TIMELIMIT=6", 2, "twice"),
        ("update nodename=cn1 state=drain", 2, "needs a reason"),
        ("update nodename=cn1 reason=x", 2, "which state?"),
        ("update nodename=cn1 stat=drain", 2, "did you mean 'state'"),
        ("update partitionname=main state=down", 1, "configuration"),
        ("hold 12 timelimt=5", 2, "bad id"),
        ("hold 12 time=5 tim=6", 2, "did you mean 'time'"),
        ("hold 12 timelimit=", 2, "timelimit= has no value: write how long"),
        ("hold 12 timelimit=5 time=6", 2, "give timelimit or time, not both"),
        ("requeue incomplete", 2, "which jobs"),
        ("requeue 12 mem=1G MEM=2G", 2, "mem is set twice"),
        ("requeue 12 mem", 2, "has no value"),
        ("requeue mem=1G", 2, "which jobs"),
        ("requeue --running 12", 2, "--running goes with requeue incomplete"),
        ("--running hold 12", 2, "--running goes with requeue incomplete"),
        ("explain", 2, "which jobs"),
        ("show dependents", 2, "which jobs"),
        ("rleease 12", 2, "did you mean 'release'"),
        ("frobnicate", 2, "there are show"),
        ("create reservation", 1, "not supported yet"),
    ],
)
def test_what_is_refused(shell: Shell, line: str, code: int, text: str) -> None:
    said = shell("ccontrol", *line.split())
    assert said.code == code and text in said.err


@pytest.mark.parametrize(
    ("word", "what"),
    [("Job", "job"), ("jobs", "job"), ("jobid", "job"), ("nodename", "node"), ("licenses", "lic"), ("lic", "lic")],
)
def test_what_show_takes(word: str, what: str) -> None:
    assert ccontrol.kind_of(word) == what


def test_quotes_around_a_value() -> None:
    assert control_words.unquoted("'a b'") == control_words.unquoted('"a b"') == "a b"
    assert [control_words.unquoted(text) for text in ("'", "a'b'", "'a\"", "")] == ["'", "a'b'", "'a\"", ""]
    with pytest.raises(InputError):
        control_words.pairs(["a=1", "b"])


def test_stories_and_explanations(control: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "explain": [{"jobid": "7", "lines": ["Reason=Resource", "0 of 4 nodes have 64 CPUs"]}],
        "story": [{"jobid": "7", "events": [[0.0, "submitted"]]}],
        "dependents": [{"jobid": "7", "dependents": [{"jobid": "8", "state": "Pending", "text": "afterok:7"}]}],
    }
    monkeypatch.setattr("crane_celery.gateway.client.call", lambda verb, _args: answers[verb])
    assert control("explain", "7").out == "JobId=7\n\tReason=Resource\n\t0 of 4 nodes have 64 CPUs\n"
    assert control("story", "7").out == "JobId=7\nunknown  submitted\n"
    assert control("show", "dependents", "7").out == "JobId=7 Dependents=1\n\t8 Pending afterok:7\n"
    assert json.loads(control("-J", "story", "7").out) == {"ok": True, "story": answers["story"]}
