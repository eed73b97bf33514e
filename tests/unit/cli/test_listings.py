"""cqueue, cinfo, ccontrol and ccancel: what they print, compared with files in tests/golden."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.common.iterate import repeated
from crane_celery.errors import InputError, Unreachable
from crane_celery.gateway import client
from crane_celery.model.node import NodeState
from tests.unit.cli.support import Shell, golden
from tests.unit.service.support import Cluster


@pytest.fixture
def busy(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """An array of 6 with one running, a held job, a job that waits for the array, one with all options."""
    monkeypatch.setattr("crane_celery.service.shared.caller.user_name", lambda _uid: "alice")
    monkeypatch.setattr("os.getcwd", lambda: "/work/dir")
    shell("cbatch", "--array=0-4,7%2", "-J", "sweep", "-t", "30", "--wrap", "true")
    shell("cbatch", "--hold", "--wrap", "true")
    shell("cbatch", "-d", "afterok:1+1h", "-J", "merge", "--wrap", "true")
    shell("cbatch", "-c", "2", "--mem=2G", "--gres=gpu:a100:1", "-w", "cn1", "-A", "acc", "--wrap", "true")
    cluster.begin(1, 1)
    return shell


def test_queue(busy: Shell) -> None:
    golden("cqueue.txt", busy("cqueue").out)
    golden("cqueue-r.txt", busy("cqueue", "-r", "-N", "-o", "%j=%t").out)
    golden("cqueue-full.txt", busy("cqueue", "-F", "-j", "9").out)


def test_array_by_environment(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CQUEUE_ARRAY", "1")
    assert busy("cqueue", "-j", "1_[2-4]", "-N", "-o", "%j %F %K").out == "1_2 1 2\n1_3 1 3\n1_4 1 4\n"


def test_a_huge_array_costs_no_more_than_the_lines_shown(busy: Shell) -> None:
    busy("cbatch", "--array=0-999999", "--wrap", "true")
    said = busy("cqueue", "-r", "-j", "10", "-m", "3", "-N", "-o", "%j")
    assert said.out == "10_0\n10_1\n10_2\n"
    assert said.err == "only the first 3 of 1000000 lines are shown, 999997 are left out; see --max-lines\n"
    info = json.loads(busy("cqueue", "-r", "-j", "10", "-m", "3", "--json").out)
    assert (len(info["job_info_list"]), info["left_out"]) == (3, 999997)


def test_queue_filters_and_limits(busy: Shell) -> None:
    assert busy("cqueue", "-t", "running", "-N", "-o", "%j").out == "1_1\n"
    assert busy("cqueue", "-n", "merge", "-N", "-o", "%j %R").out == "8 Dependency\n"
    assert busy("cqueue", "--self", "-w", "cn[1-2]", "-N", "-o", "%.6j|%3t|").out == "   1_1|Run|\n"
    cut = busy("cqueue", "-m", "2", "-N", "-o", "%j")
    assert (cut.out.count("\n"), "first 2 of 5 lines are shown, 3 are left out" in cut.err) == (2, True)
    info = json.loads(busy("cqueue", "-m", "2", "--json").out)
    assert (len(info["job_info_list"]), info["left_out"]) == (2, 3)
    cut = busy("cqueue", "-s", "-m", "1", "-N")
    assert (cut.out.count("\n"), "newest 1 of 2 steps are shown, 1 are" in cut.err) == (1, True)
    assert busy("cqueue", "-m", "0").code == 2
    assert busy("cqueue", "-t", "runing").err.count("did you mean 'running'") == 1
    for bad in ("j", "%zz", "%"):
        assert busy("cqueue", "-o", bad).code == 5


def test_conditions_on_what_was_asked_for(busy: Shell) -> None:
    listed = busy("cqueue", "--type", "batch", "-N", "-o", "%i").out.split()
    assert listed == ["1_[0,2-4,7%2]", "7", "8", "9", "1_1"]
    assert busy("cqueue", "--type", "container", "-N").out == busy("cqueue", "-L", "matlab", "-N").out == ""
    assert "did you mean 'Batch'" in busy("cqueue", "--type", "bach").err
    assert busy("cqueue", "-j", "8", "-N", "-o", "%E").out == "afterok:1+1h\n"


def test_times_to_come(busy: Shell) -> None:
    busy("cbatch", "--begin", "2099-01-01T10:00", "--deadline", "2099-01-02", "--wrap", "true")
    said = busy("cqueue", "-j", "10", "-N", "-o", "%R|%deadline|%begin").out
    assert said == "BeginTime|2099-01-02 00:00:00|2099-01-01 10:00:00\n"
    shown = busy("ccontrol", "show", "job", "10").out
    assert "EligibleTime=2099-01-01 10:00:00 Deadline=2099-01-02 00:00:00" in shown
    (row,) = json.loads(busy("cqueue", "-j", "10", "--json").out)["job_info_list"]
    assert row["deadline_time"].startswith("2099-01-0")


def test_what_begins_later_keeps_nobody_waiting(shell: Shell) -> None:
    shell("cbatch", "--begin", "2099-01-01", "--wrap", "true")
    shell("cbatch", "--wrap", "true")
    assert shell("cqueue", "-N", "-o", "%j=%R").out.split() == ["1=BeginTime", "2=Resource"]


def test_a_column_for_each_thing_asked_for(busy: Shell) -> None:
    header = busy("cqueue", "-S", "-q", "x", "--deadline", "-L", "x").out.split()
    assert header[-4:] == ["STARTTIME", "QOS", "DEADLINE", "LICENSES"]
    assert busy("cqueue", "-S", "-j", "8", "-N", "-o", "%S").out == "N/A\n"  # nobody knows when 1 ends well
    assert busy("cqueue", "-S", "-j", "9", "-N", "-o", "%S").out.startswith("20")


def test_expected_starts(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from crane_celery.gateway import handlers

    monkeypatch.setitem(handlers._VERBS, "start", lambda *_: {"9": 2e9, "7": 0.0})
    assert busy("cqueue", "-S", "-j", "7,9", "-N", "-o", "%j %S").out.splitlines()[1] == "9 2033-05-18 03:33:20"


def test_the_order_of_lines(busy: Shell) -> None:
    assert busy("cqueue", "--sort=-j", "-N", "-o", "%j").out.split() == ["9", "8", "7", "1_1", "1_[0,2-4,7%2]"]
    assert busy("cqueue", "--sort=t,-p,j", "-m", "1", "-N", "-o", "%t").out.split() == ["Pending"]
    assert busy("cqueue", "--sort=-e,j", "-N", "-o", "%j").out.split()[0] == "1_1"
    assert busy("cqueue", "--sort=zz").code == 2


def test_columns_by_their_headers(busy: Shell) -> None:
    assert busy("cqueue", "-j", "9", "-N", "-o", "%JobId %timelimit %Dependency %reqnodes").out.split() == [
        "9",
        "unlimited",
        "(null)",
        "cn1",
    ]
    assert busy("cinfo", "-p", "small", "-o", "%Partition %NODES").out.split() == ["PARTITION", "NODES", "small", "1"]


def test_what_waits_stands_under_what_it_waits_for(busy: Shell) -> None:
    busy("cbatch", "-d", "afterany:8:7", "--wrap", "true")
    busy("cbatch", "-d", "afterany:9?after:1_2", "--wrap", "true")
    shown = busy("cqueue", "--tree", "-N", "-o", "%j|").out.splitlines()
    assert [line.rstrip("| ") for line in shown] == [
        "1_[0,2-4,7%2]",
        "1_1",
        "  8",
        "    10",
        "7",
        "9",
        "  11",
    ]


def test_an_id_with_many_indexes_is_cut(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = ",".join(str(index * index) for index in range(100))
    busy("cbatch", f"--array={odd}%3", "--wrap", "true")
    short = busy("cqueue", "-j", "10", "-N", "-o", "%j").out
    assert short.startswith("10_[0-1,4,9,") and short.endswith(",...%3]\n") and len(short) < 80
    assert short.split()[0] in busy("cqueue", "-j", "10").out
    assert f"10_[{odd.replace('0,1,', '0-1,', 1)}%3]" in busy("cqueue", "-F", "-j", "10").out
    monkeypatch.setenv("CQUEUE_BITSTR_LEN", "10")
    assert busy("cqueue", "-j", "10", "-N", "-o", "%j").out == "10_[0-1,4,...%3]\n"
    assert busy("cqueue", "-r", "-j", "10", "-N", "-o", "%j").out.splitlines()[2:4] == ["10_4", "10_9"]
    monkeypatch.setenv("CQUEUE_BITSTR_LEN", "0")
    assert busy("cqueue", "-j", "10", "-N", "-o", "%j").out == f"10_[{odd.replace('0,1,', '0-1,', 1)}%3]\n"


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "٣", "9" * 30])
def test_a_length_of_ids_that_is_no_number(busy: Shell, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("SLURM_BITSTR_LEN", "CQUEUE_BITSTR_LEN"):
        monkeypatch.setenv(name, value)
        said = busy("cqueue")
        assert said.code == 2 and name in said.err and value[:9] in said.err and "unset it" in said.err


def test_watching(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing is shown at once, and again at each answer that differs; Ctrl-C is how it ends."""
    asked: list[object] = []
    lost = iter([True, False])

    real = client.follow

    def follow(verb: str, question: dict[str, Any], news: Callable[[object], None], path: str | None = None) -> Any:
        if verb != "watch":
            return real(verb, question, news, path)
        asked.append((verb, question["verb"]))
        answer = {"count": 1, "same": {"jobid": "7"}, "each": {}, "total": 1, "elements": 1, "exact": True}
        news(answer)
        news(answer)
        if next(lost):
            raise Unreachable("gone")
        raise KeyboardInterrupt

    monkeypatch.setattr("crane_celery.gateway.client.follow", follow)
    said = busy("cqueue", "--watch", "-N", "-o", "%j", "-m", "1")
    assert (said.code, asked) == (0, [("watch", "jobs")] * 2)
    assert [line for line in said.out.splitlines() if ":" not in line] == ["1_[0,2-4,7%2]", "7"]


def test_watching_where_nobody_answers(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    real = client.follow

    def follow(verb: str, *rest: Any) -> Any:
        if verb != "watch":
            return real(verb, *rest)
        raise Unreachable("gone")

    monkeypatch.setattr("crane_celery.gateway.client.follow", follow)
    assert shell("cqueue", "--watch", "-s").code == 3


def test_queue_as_json(busy: Shell) -> None:
    reply = json.loads(busy("cqueue", "--json").out)
    assert reply["ok"] is True
    waiting, *_ = reply["job_info_list"]
    assert waiting["status"] == "Pending" and waiting["array_task"]["task_ids"] == "0,2-4,7"
    assert waiting["array_spec"] == {"start": 0, "end": 7, "stride": 1, "indexes": "0-4,7", "max_concurrent": 2}
    by_id = {each["job_id"]: each for each in reply["job_info_list"]}
    assert by_id[8]["dependency_status"] == {
        "typed": "afterok:1+1h",
        "is_or": False,
        "pending": [{"job_id": 1, "type": "afterok", "delay_seconds": 3600}],
    }
    gpus = {"gpu": {"total": "0", "specified": {"a100": "1"}}}
    assert by_id[9]["req_total_res_view"] == {"cpu_count": 2.0, "memory_bytes": str(2 << 30), "gres_map": gpus}


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ("cqueue", "a c C deadline e h j k K l L m M n N o p P q Q r R s S t T u U x X F i E wckey licenses begin"),
        ("cqueue --step", "i j n P u U e L t l N a q o"),
        (
            "cacct",
            "a arrayjobid arrayspec arraytaskid C c D deadline E e h j K k L l M m N n P p q R r S s T t U u X x",
        ),
        ("cinfo", "p a n s l"),
    ],
)
def test_every_name_of_a_column(busy: Shell, argv: str, names: str) -> None:
    """Each of reference/cranesched.md sections 1.4, 1.7 and 1.8, in every line."""
    for name in names.split():
        said = busy(*argv.split(), "-o", f"<%{name}>")
        assert (said.code, "<>" not in said.out.splitlines()[0]) == (0, True), name


def test_steps(busy: Shell) -> None:
    golden("cqueue-steps.txt", busy("cqueue", "--step").out)
    assert busy("cqueue", "--step", "-s", "1_1.0", "-N", "-o", "%i").out == "1_1.0\n"
    assert busy("cqueue", "--step", "-F", "-m", "1").out.count("\n") == 2
    assert busy("cqueue", "-s", "9999.1,1_1.0,1_1.7,8", "-N", "-o", "%i") == (0, "1_1.0\n", "")
    assert busy("cqueue", "-s", "9999.1", "-N") == (0, "", "")
    [step, _] = json.loads(busy("cqueue", "--step", "--json").out)["step_info_list"]
    assert (step["stepid"], step["step_type"], step["status"]) == ("1_1.0", "DAEMON", "Running")


def test_nodes(busy: Shell, cluster: Cluster) -> None:
    golden("cinfo.txt", busy("cinfo").out)
    assert busy("cinfo", "-t", "mix", "-p", "main", "--noheader").out.split() == ["main*", "up", "1", "mix", "cn1"]
    assert busy("cinfo", "-t", "down", "-p", "small", "--noheader").out.split() == ["small", "up", "0", "n/a"]
    assert busy("cinfo", "-t", "idel").code == 2
    cluster.store.set_node("cn2", NodeState.DRAIN, "new disks")
    cluster.store.lose(cluster.fence, "cn3", "not heard of")
    golden("cinfo-reasons.txt", busy("cinfo", "-R").out)
    golden("cinfo-drained.txt", busy("cinfo").out)
    assert busy("cinfo", "-t", "idle(drain)", "-p", "main", "--noheader").out.split()[3:] == ["idle(drain)", "cn2"]
    assert busy("cinfo", "-t", "DRAINED,mixed", "-p", "main", "--noheader", "-o", "%l").out.split() == ["cn2", "cn1"]
    assert json.loads(busy("cinfo", "--json").out)["ok"] is True


def test_a_line_for_each_node(busy: Shell, cluster: Cluster) -> None:
    cluster.store.heartbeat("cn1", cluster.epochs["cn1"], 60, 1.25)
    cluster.store.set_node("cn2", NodeState.DRAIN, "new disks")
    cluster.store.lose(cluster.fence, "cn3", "not heard of")
    golden("cinfo-nodes.txt", busy("cinfo", "-N").out)
    assert busy("cinfo", "-N", "-t", "drain", "--noheader", "-o", "%node %reason").out == "cn2 new disks\n"
    assert busy("cinfo", "-N", "-p", "small", "-o", "%l %p").out.splitlines()[1:] == ["cn4  main*,small"]
    assert busy("cinfo", "-N", "-n", "cn[1-2]", "--noheader", "-o", "%load").out.split() == ["1.25", "-"]
    [row, *_] = json.loads(busy("cinfo", "-N", "--json").out)["node_info_list"]
    assert (row["name"], row["load"], row["free_cpus"]) == ("cn1", 1.25, row["cpus"] - 1)


@pytest.mark.parametrize("command", ["cqueue", "cacct", "cinfo"])
def test_each_column_is_explained(busy: Shell, command: str) -> None:
    from importlib import import_module

    from cli.common.help_format import MEANINGS

    said = busy(command, "--helpformat")
    assert said.code == 0 and "%.5j" in said.out
    formats = import_module(f"cli.{command}").formats()
    headers = {column.header for each in formats.values() for column in each.columns.values()}
    assert headers <= MEANINGS.keys()
    for each in formats.values():
        for name in each.columns:
            assert f"%{name if len(name) == 1 else name.lower()}" in said.out.split(), name
    page = (Path(__file__).parents[3] / f"docs/commands/{command}.md").read_text()
    assert "| letter | name | meaning |" in page and all(f"{header}: " in page for header in headers)


def test_only_ids(busy: Shell) -> None:
    assert busy("cqueue", "--ids").out.split() == ["9", "8", "7", "1_[0-4,7]"]
    assert busy("cqueue", "--ids", "-t", "r", "-N").out == "1_1\n"
    assert busy("cqueue", "--ids", "-t", "s") == (0, "", "")
    cut = busy("cqueue", "--ids", "-m", "2")
    assert cut.out.split() == ["7", "1_[0,2-4,7]"] and "first 6 of 9 jobs are shown, 3 are" in cut.err
    for more in ("--json", "-F", "-o%j"):
        assert "--ids excludes" in busy("cqueue", "--ids", more).err


def test_records(busy: Shell) -> None:
    golden("show-job-array.txt", busy("ccontrol", "show", "job", "1").out)
    golden("show-job-dependency.txt", busy("ccontrol", "show", "job", "8").out)
    golden("show-step.txt", busy("ccontrol", "show", "step", "1_1").out)
    golden("show-node.txt", busy("ccontrol", "show", "node", "cn1").out)
    golden("show-partition.txt", busy("ccontrol", "show", "partition", "small").out)
    assert "max_array_size = 1000000" in busy("ccontrol", "show", "config").out
    assert "ArrayJobId=1 ArrayTaskId=3" in busy("ccontrol", "show", "job", "1_3").out


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("show", "job", "99"), 4, "Job 99 is not running"),
        (("show", "step", "99.2"), 4, "Step 99.2 is not running"),
        (("show", "node", "cn9"), 4, "no node 'cn9'; did you mean"),
        (("show", "node", "zz"), 4, "no node 'zz': there are cn1, cn2, cn3, cn4"),
        (("show", "partition", "zz"), 4, "no partition 'zz': there are main, small"),
        (("show", "lic", "zz"), 4, "no licence 'zz': there are none"),
        (("show", "jbo"), 2, "did you mean 'job'"),
        (("show",), 2, "show what?"),
        (("show", "reservation"), 1, "not supported yet"),
        (("shwo", "job"), 2, "did you mean 'show'"),
        (("hold",), 2, "which jobs"),
        (("show", "job", "x"), 2, "bad id"),
    ],
)
def test_control_refuses(shell: Shell, argv: tuple[str, ...], code: int, text: str) -> None:
    said = shell("ccontrol", *argv)
    assert said.code == code and text in said.err


def test_hold_and_release(busy: Shell) -> None:
    assert busy("ccontrol", "hold", "1_[2-3]").out == "Jobs 1_[2-3] modified successfully.\n"
    assert busy("cqueue", "-j", "1", "-t", "p", "-N", "-o", "%j %R").out.splitlines()[1] == "1_[2-3%2]   Held"
    assert busy("ccontrol", "release", "1").code == 0
    refused = busy("ccontrol", "release", "1_1,99")
    assert refused.code == 4 and "Failed to modify job: 99. Reason: Job not found." in refused.err


def test_a_question_ends_as_one(busy: Shell) -> None:
    assert busy("ccontrol", "update", "jobid=7", "timelmit=3").err.endswith("did you mean 'timelimit'?\n")


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


@pytest.mark.parametrize("command", ["calloc", "ccon"])
def test_what_is_not_there_yet(shell: Shell, command: str) -> None:
    assert shell(command).code == 1 and "not supported yet" in shell(command, "run", "x").err
    assert shell(command, "--help").code == 0


COMMANDS = ["cbatch", "cqueue", "ccancel", "cinfo", "ccontrol", "cacct", "cwait", "ceff", "calloc", "ccon"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_and_version(shell: Shell, command: str) -> None:
    assert shell(command, "--help").out.startswith("usage: ")
    assert shell(command, "--version").out.startswith("crane-celery")


@pytest.mark.parametrize("command", ["cbatch", "cqueue", "ccancel", "cinfo", "ccontrol"])
def test_commands_stay_light(gateway: str, command: str) -> None:
    """No heavy module is loaded by a command, even one that talks to the gateway."""
    argv = {"cbatch": ["--wrap", "true"], "ccancel": ["-n", "x"], "ccontrol": ["show", "node"]}.get(command, [])
    heavy = (
        "redis",
        "celery",
        "click",
        "tabulate",
        "dateutil",
        "yaml",
        "sqlalchemy",
        "dataclasses",
        "typing",
        "asyncio",
    )
    code = (
        f"import sys; from cli.{command} import main; main({argv!r}); print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {os.getcwd()!r}); {code}"],
        env={**os.environ, "CRANE_SOCKET": gateway},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_moments_in_json() -> None:
    from cli.output.json_records import rfc3339

    shown = [rfc3339(at) for at in (0.0, 1_000_000_000.0, 1_000_000_000.25, 1_000_000_000.123456)]
    assert shown == [None, *(f"2001-09-09T01:46:40{part}Z" for part in ("", ".250", ".123456"))]


def test_a_listing_is_shown_again_until_it_is_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    rounds = iter([0, 0])
    assert repeated(None, lambda: 7) == 7
    with pytest.raises(InputError):
        repeated(0, lambda: 0)
    with pytest.raises(StopIteration):
        repeated(1, lambda: next(rounds))
    assert len(capsys.readouterr().out.splitlines()) == 3
