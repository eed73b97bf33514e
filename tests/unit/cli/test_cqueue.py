"""cqueue: lines, columns, order, filters, watching."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from crane_celery.errors import Unreachable
from crane_celery.gateway import client
from tests.unit.cli.support import Shell, golden


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


def test_only_ids(busy: Shell) -> None:
    assert busy("cqueue", "--ids").out.split() == ["9", "8", "7", "1_[0-4,7]"]
    assert busy("cqueue", "--ids", "-t", "r", "-N").out == "1_1\n"
    assert busy("cqueue", "--ids", "-t", "s") == (0, "", "")
    cut = busy("cqueue", "--ids", "-m", "2")
    assert cut.out.split() == ["7", "1_[0,2-4,7]"] and "first 6 of 9 jobs are shown, 3 are" in cut.err
    for more in ("--json", "-F", "-o%j"):
        assert "--ids excludes" in busy("cqueue", "--ids", more).err
