"""ccancel: by id and by property, signals, and what it refuses."""

import io
import json

import pytest

from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster


def test_cancel(busy: Shell) -> None:
    assert busy("ccancel", "1_[2-3]", "7").out == "Job 1_[2-3],7 cancelled successfully.\n"
    said = busy("ccancel", "1,99")
    assert said.code == 4
    assert said.out == "Job 1 cancelled successfully.\n"
    assert said.err.startswith("Failed to cancel job: 99. Reason: Job not found.\n")
    assert "1 job(s) that depend on them can now never start" in said.err
    as_json = json.loads(busy("ccancel", "--json", "8,98").out)
    assert as_json["cancelled_steps"] == {"8": {"steps": []}}
    assert as_json["not_cancelled_job_steps"]["98"]["reason"] == "Job not found"


def test_cancel_takes_strides_and_lists(busy: Shell) -> None:
    assert busy("ccancel", "1_[0-4:2]").out == "Job 1_[0-4:2] cancelled successfully.\n"
    assert busy("ccancel", "1_3", "1_7").out == "Job 1_3,1_7 cancelled successfully.\n"


def test_an_id_of_many_indexes_is_cut_in_a_sentence(busy: Shell) -> None:
    odd = ",".join(str(index * index) for index in range(3, 100))
    busy("cbatch", "--array=0-9999", "--wrap", "true")
    busy("cbatch", "--hold", "--array=0-9999", "--wrap", "true")
    for id, command in ((10, ("ccontrol", "hold")), (10010, ("ccontrol", "release")), (10, ("ccancel",))):
        once = busy(*command, f"{id}_[{odd}]")
        assert once.code == 0 and once.out.count(f"{id}_[9,16,25,") == 1 and ",...] " in once.out
        assert len(once.out) < 300
    again = busy("ccancel", f"10_[{odd}]", f"10_[{odd}].3")
    assert again.code == 4 and len(again.err) < 700
    assert again.err.count(",...]. Reason") == 1 and again.err.count(",...]-3. Reason") == 1
    assert odd in busy("ccancel", "--json", f"10_[{odd}]").out
    assert len(busy("ccontrol", "explain", "10010").out.splitlines()[1]) < 90
    for command in (("ccontrol", "explain"), ("ccontrol", "story"), ("ccontrol", "show", "dependents"), ("ceff",)):
        assert len(busy(*command, f"10010_[{odd}]").out.splitlines()[0]) < 260, command
    assert len(busy("ccontrol", "requeue", f"10_[{odd}]").err) < 400


def test_part_of_a_throttled_array_by_state(busy: Shell) -> None:
    assert busy("ccancel", "-n", "sweep", "-t", "p").out == "Job 1_[0,2-4,7] cancelled successfully.\n"


def test_cancel_asks_first(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer, code in (("n\n", 4), ("", 4), ("Y\n", 0)):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        said = busy("ccancel", "-i", "-u", "alice", "7")
        assert (said.code, "Cancel job 7, users alice? [y/N]" in said.err) == (code, True)


def test_signals(busy: Shell, cluster: Cluster) -> None:
    assert busy("ccancel", "-s", "10", "1_1") == (0, "Signal USR1 sent to job 1_1.\n", "")
    assert busy("ccancel", "-s", "usr1", "-b", "1_1") == (0, "Signal USR1 sent to the script of job 1_1.\n", "")
    assert busy("ccancel", "-s", "USR1", "-bf", "1_1").code == 0
    told = [(event.kind, event.data["rows"]) for event in cluster.store.events("0", 0.0, 1000) if "kill" in event.kind]
    plain = ("kill", [[2, 1, "cn1", 10]])
    assert told == [plain, ("kill_step", [[2, 1, "cn1", 10, 0]]), plain]
    for words in (["-s", "USR1", "-b", "7"], ["-s", "USR1", "7"]):
        assert busy("ccancel", *words) == (4, "", "Failed to signal job: 7. Reason: Job is not running.\n")
    assert json.loads(busy("ccancel", "--json", "-s", "USR1", "1_1").out)["signal"] == "USR1"
    assert busy("ccancel", "-b", "7").code == 2
    assert busy("ccancel", "-s", "NOPE", "7").code == 2


@pytest.mark.parametrize("ids", ["", "0", "x", "1_", "_3", "1.0", "1.2.3", "1_3_4", "01"])
def test_cancel_refuses_what_is_no_id(shell: Shell, ids: str) -> None:
    assert shell("ccancel", ids).code == 2


def test_cancel_by_property(busy: Shell) -> None:
    assert busy("ccancel").code == 2
    assert busy("ccancel", "-n", "merge").out == "Job 8 cancelled successfully.\n"
    assert "no job matches" in busy("ccancel", "-n", "merge").err
