"""cacct: what it prints of a recorded cluster, compared with files in tests/golden where it is a table."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from crane_celery.history.engine import Database
from crane_celery.history.filing import Filing
from crane_celery.history.recorder import Recorder
from crane_celery.history.sql import SqlHistory
from crane_celery.model.job import StepRow
from crane_celery.model.states import State
from crane_celery.service import Service
from crane_celery.store.api import Ended, Report
from tests.unit.cli.support import Shell, golden
from tests.unit.service.support import Cluster as Base
from tests.unit.service.support import settings


@pytest.fixture
def url(tmp_path: object) -> str:
    """The history's database."""
    return f"sqlite:///{tmp_path}/history.db"


@pytest.fixture
def cluster(tmp_path: object, url: str) -> Iterator[Base]:
    """A cluster whose service has a history."""
    from pathlib import Path

    made = Base(Path(str(tmp_path)))
    history = SqlHistory(url)
    made.service = Service(made.store, settings(Path(str(tmp_path))), history)
    yield made
    history.close()


@pytest.fixture
def record(cluster: Base, url: str) -> Iterator[Callable[[], None]]:
    """Files what has happened so far."""
    database = Database(url)
    recorder = Recorder(cluster.store, Filing(database))

    def all_of_it() -> None:
        while recorder.step(0.0):
            pass

    yield all_of_it
    database.close()


@pytest.fixture
def past(shell: Shell, cluster: Base, record: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Array 1-3 (indexes 1,3,5: completed with a step, failed, cancelled while pending), job 4 completed, 5 running."""
    monkeypatch.setattr("crane_celery.service.shared.caller.user_name", lambda _uid: "alice")
    monkeypatch.setattr("os.getcwd", lambda: "/work/dir")
    shell("cbatch", "--array=1-5:2", "-J", "sweep", "-t", "30", "--wrap", "true")
    shell("cbatch", "-J", "a name that is much longer than thirty", "-p", "small", "--wrap", "true")
    shell("cbatch", "-J", "now", "--wrap", "true")
    cluster.begin(1, 0)
    step = StepRow(
        job=1, run=1, step=2, name="prep", state=State.FAILED, node="cn1", began_at=1.0, ended_at=2.0, code=265
    )
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(steps=[step]))
    cluster.end(1)
    cluster.run(1, 1, code=3)
    shell("ccancel", "1_5")
    cluster.begin(4, node="cn4")
    cluster.end(4, node="cn4")
    cluster.begin(5)
    record()
    return shell


def test_table(past: Shell) -> None:
    golden("cacct.txt", past("cacct").out)
    golden("cacct-steps.txt", past("cacct", "--steps").out)
    golden("cacct-full.txt", past("cacct", "-F", "-j", "1_1").out)


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ("-t completed,failed", "4 1_3 1_1"),
        ("-t x", "1_5"),
        ("-n sweep", "1_5 1_3 1_1"),
        ("-p small", "4"),
        ("-w cn[2-4]", "4"),
        ("-u nobody", ""),
        ("-j 1", "1_5 1_3 1_1"),
        ("-j 1_[3-5],4", "4 1_5 1_3"),
        ("-E now-1h~", "4 1_5 1_3 1_1"),
        ("-E ~now-1h", ""),
        ("-S now-1h~ -t c", "4 1_1"),
        ("-s ~now-1h", ""),
        ("-E -1h~", "4 1_5 1_3 1_1"),
        ("-S -1h -t c", "4 1_1"),
        ("-E yesterday", "4 1_5 1_3 1_1"),
        ("-E ~yesterday", ""),
        ("-m 2", "5 4"),
        ("--type batch -t c", "4 1_1"),
        ("--type interactive", ""),
        ("--deadline now~", ""),
        ("-D -j 4", "4"),
        ("--last -j 1", "1_5 1_3 1_1"),
    ],
)
def test_filters(past: Shell, argv: str, shown: str) -> None:
    said = past("cacct", "-N", "-o", "%j", *argv.split())
    assert said.code == 0
    assert " ".join(name for name in said.out.split() if "." not in name) == shown


def test_only_ids(past: Shell, record: Callable[[], None]) -> None:
    past("cbatch", "--array=0-999", "--hold", "--wrap", "true")
    past("ccancel", "6_[10-990:2]")
    record()
    assert past("cacct", "--ids", "-t", "f,x", "-j", "1") == (0, "1_[3,5]\n", "")
    assert past("cacct", "--ids", "-t", "x").out.split() == ["6_[10-990:2]", "1_5"]
    assert past("cacct", "--ids", "-j", "1_1,4", "-N").out.split() == ["4", "1_1"]
    assert past("cacct", "--ids", "-n", "sweep,now").out.split() == ["5", "1_[1,3,5]"]
    assert past("cacct", "--ids").out.split() == ["6_[0-999]", "5", "4", "1_[1,3,5]"]
    cut = past("cacct", "--ids", "-m", "2", "-t", "x")
    assert (cut.out, "newest 2 of 492 jobs are shown, 490 are" in cut.err) == ("6_[988,990]\n", True)
    assert past("ccontrol", "show", "job", past("cacct", "--ids", "-t", "f").out.strip()).code == 0


def test_failed_elements_come_without_the_steps_that_all_have(past: Shell) -> None:
    assert past("cacct", "-j", "1", "-t", "f", "-N", "-o", "%j").out == "1_3\n"
    assert past("cacct", "-j", "1", "-t", "f", "-N", "-o", "%j", "--steps").out.split() == ["1_3", "1_3.0", "1_3.1"]
    assert past("cacct", "-j", "1_3.1", "-N", "-o", "%j").out == "1_3.1\n"


def test_columns_grow_with_the_filters(past: Shell) -> None:
    header = past("cacct", "-E", "now-1h~", "-s", "now-1h~").out.splitlines()[0]
    assert header.split()[-3:] == ["NODELIST", "ENDTIME", "SUBMITTIME"]


def test_steps_can_be_asked_for_alone(past: Shell) -> None:
    assert past("cacct", "-N", "-j", "1_1.2,4.1", "-o", "%j %t %e").out == "4.1   Completed 0:0\n1_1.2 Failed    0:9\n"


def test_a_cut_list_says_so(past: Shell) -> None:
    said = "only the newest 2 of 5 runs are shown, 3 are left out; see --max-lines\n"
    for argv in (["-N"], ["-o", "%j"], ["-F"], []):
        assert past("cacct", "-m", "2", *argv).err == said
    assert past("cacct", "-m", "4").err and not past("cacct", "-m", "5").err
    for limit, left in ((2, 3), (5, 0)):
        assert json.loads(past("cacct", "-m", str(limit), "--json").out)["left_out"] == left
    assert "newest 1 of 2 runs" in past("cacct", "-m", "1", "-t", "c").err
    assert past("cacct", "-m", "1", "-t", "c", "-N", "-n", "sweep").err == ""


def again(shell: Shell, cluster: Base, job: int, runs: int) -> None:
    """Run and requeue a job until it has completed."""
    for run in range(1, runs + 1):
        cluster.begin(job, run=run)
        cluster.end(job, run=run)
        assert run == runs or shell("ccontrol", "requeue", str(job)).code == 0


def test_runs_that_were_repeated_take_no_place_of_other_jobs(
    past: Shell, cluster: Base, record: Callable[[], None]
) -> None:
    past("cbatch", "--wrap", "true")
    again(past, cluster, 6, 5)
    record()
    listed = past("cqueue", "-t", "all", "-N", "-o", "%j", "-m", "4")
    assert (listed.out.split(), listed.err[:40]) == (["5", "4", "6", "1_5"], "only the first 4 of 6 lines are shown, 2")
    assert len(past("cqueue", "-t", "all", "-N", "-m", "6").out.splitlines()) == 6
    assert past("cqueue", "-t", "all", "-m", "6").err == ""
    assert past("cacct", "--last", "-N", "-o", "%j", "-m", "3").out.split() == ["6", "5", "4"]
    assert "newest 3 of 6 jobs are shown" in past("cacct", "--last", "-m", "3").err
    assert "newest 3 of 10 runs" in past("cacct", "-m", "3").err
    info = json.loads(past("cqueue", "-t", "all", "--json", "-m", "3").out)
    assert (len(info["job_info_list"]), info["left_out"]) == (3, 3)
    assert json.loads(past("cqueue", "-t", "all", "--json").out)["left_out"] == 0


def test_what_waits_again_is_no_last_run(past: Shell, record: Callable[[], None]) -> None:
    past("ccontrol", "requeue", "4")
    record()
    assert past("cacct", "--last", "-N", "-j", "4", "-o", "%j=%t").out.split() == ["4=Pending"]
    assert past("cqueue", "-t", "all", "-N", "-j", "4", "-o", "%j=%t").out.split() == ["4=Pending"]


def test_a_cut_summary_says_so(past: Shell, record: Callable[[], None]) -> None:
    for _ in range(3):
        past("cbatch", "--array=0-1", "--wrap", "true")
    record()
    cut = past("cacct", "--array-summary", "-N", "-o", "%j", "-m", "2")
    assert (cut.out.split(), "newest 2 of 4 arrays are shown, 2 are" in cut.err) == (["10", "8"], True)
    assert past("cacct", "--array-summary", "-N", "-o", "%j", "-m", "1", "-t", "f") == (0, "1\n", "")
    cut = past("cacct", "--array-summary", "-N", "-o", "%j", "-m", "1", "-t", "f,p")
    assert (cut.out, "newest 1 of 4 arrays" in cut.err) == ("10\n", True)
    refused = past("cacct", "--array-summary", "-S", "yesterday")
    assert (refused.code, "leave -S out" in refused.err) == (2, True)


def test_json(past: Shell) -> None:
    reply = json.loads(past("cacct", "-j", "1_1,1_3", "--json").out)
    failed, done = reply["job_info_list"]
    assert (failed["status"], failed["exit_code"], failed["exit_text"]) == ("Failed", 3, "3:0")
    assert [step["stepid"] for step in done["step_info_list"]] == ["1_1.0", "1_1.1", "1_1.2"]
    assert done["array_task"]["array_job_id"] == 1


@pytest.mark.parametrize(
    ("argv", "code", "hint"),
    [
        ("-o j", 5, "%"),
        ("-o %zz", 5, "zz"),
        ("-m 0", 2, "max-lines"),
        ("-t complete", 2, "did you mean 'completed'"),
        ("-E tomorrow", 2, "can hold nothing: it starts in the future"),
        ("-S yesterday -E now", 2, "or ~now for up to then"),
        ("-t preempted", 2, "there are Pending, Starting, Running, Completing, Suspended, Completed, Failed, Exceed"),
        ("-S 2099-01-01", 2, "can hold nothing: it starts in the future"),
        ("-s now~-1h", 2, "can hold nothing: it ends before it starts"),
        ("-S -1h -E ~-2h", 2, "nothing can match: what was started from"),
        ("-E fryday", 2, "'fryday'"),
        ("-E 2026-01-02~2026-01-01", 2, "ends before"),
        ("-j 1_", 2, "1_"),
        ("--jobb 1", 2, "did you mean '--job'"),
        ("--deadline a~b", 2, "bad"),
        ("--type bach", 2, "did you mean 'Batch'"),
    ],
)
def test_what_is_refused(past: Shell, argv: str, code: int, hint: str) -> None:
    said = past("cacct", *argv.split())
    assert (said.code, said.out) == (code, "")
    assert hint in said.err


def test_it_imports_nothing_heavy() -> None:
    """A thin client: neither the store's nor the history's libraries (design.md section 4)."""
    program = "import sys, cli.cacct as c; c.parser(); print(*(m for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"redis", "celery", "sqlalchemy", "dateutil", "yaml", "typing"} & set(loaded)


def test_an_array_as_one_line(past: Shell) -> None:
    golden("cacct-arrays.txt", past("cacct", "--array-summary").out)
    assert past("cacct", "--array-summary", "-N", "-n", "other").out == ""
    assert past("cacct", "--array-summary", "-N", "-t", "oom").out == ""
    assert past("cacct", "--array-summary", "-N", "-t", "f", "-j", "1_3", "-o", "%j %failed").out == "1 1\n"
    (array,) = json.loads(past("cacct", "--array-summary", "--json").out)["job_info_list"]
    assert array["state_counts"] == {"Completed": 1, "Failed": 1, "Cancelled": 1}


def test_what_waits_counts_in_a_summary(past: Shell, record: Callable[[], None]) -> None:
    past("cbatch", "--array=0-999999", "--wrap", "true")
    record()
    assert past("cacct", "--array-summary", "-N", "-j", "6", "-o", "%j %total %pending").out == "6 1000000 1000000\n"


def test_what_has_ended_is_in_the_queue_while_the_window_has_it(past: Shell) -> None:
    ended = past("cqueue", "-t", "all", "-j", "1", "-N", "-o", "%j=%t").out.split()
    assert ended == ["1_1=Completed", "1_3=Failed", "1_5=Cancelled"]
    assert past("cqueue", "-t", "all", "-N", "-o", "%j").out.split() == ["5", "1_1", "4", "1_3", "1_5"]
    assert past("cqueue", "-t", "x,f", "-N", "-o", "%j").out.split() == ["1_3", "1_5"]
    assert past("cqueue", "-N", "-o", "%j").out.split() == ["5"]


def test_efficiency(past: Shell, cluster: Base, record: Callable[[], None]) -> None:
    now = cluster.store.now()
    busy = Ended(5, 1, "Failed", 265, now - 100, now, "", 25.0, 1 << 29)
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(ended=[busy]))
    record()
    golden("ceff.txt", past("ceff", "5").out)
    golden("ceff-array.txt", past("ceff", "1,1_5").out)
    past("cbatch", "--wrap", "true")
    record()
    assert past("ceff", "6").out.endswith("Efficiency not available: the job has not started.\n")
    unknown = past("ceff", "99")
    assert (unknown.code, unknown.out, unknown.err) == (4, "", "Job 99 does not exist.\n")
    reply = json.loads(past("ceff", "--json", "5,99").out)
    assert reply["unknown"] == ["99"] and reply["efficiency_info_list"][0]["cpu_efficiency"] == 0.25
    cluster.begin(6)
    record()
    assert "WARNING" in past("ceff", "6").out


def test_a_very_short_run_has_no_efficiency(past: Shell, cluster: Base, record: Callable[[], None]) -> None:
    """Its processor time may be longer than its time: 160 % of nothing is no figure."""
    now = cluster.store.now()
    short = Ended(5, 1, "Completed", 0, now - 0.05, now, "", 0.08, 1 << 20)
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(ended=[short]))
    record()
    lines = past("ceff", "5").out.splitlines()
    assert "CPU Efficiency: too short a run to tell: less than 1 s of core-walltime" in lines
    assert json.loads(past("ceff", "--json", "5").out)["efficiency_info_list"][0]["cpu_efficiency"] is None


def test_memory_deaths_are_shown_wherever_a_job_is(past: Shell, cluster: Base, record: Callable[[], None]) -> None:
    now = cluster.store.now()
    usual = past("cacct", "-j", "1").out
    done = Ended(5, 1, "Completed", 0, now - 100, now, "", 25.0, 1 << 29, 2)
    cluster.store.report("cn1", cluster.epochs["cn1"], Report(ended=[done]))
    record()
    assert past("cacct", "-j", "1").out == usual  # no column of zeros where there are none
    assert past("cacct", "-N", "-j", "5", "-o", "%j=%t=%O").out.split()[0] == "5=Completed=2"
    header, row, *_ = past("cacct", "-j", "5").out.splitlines()
    assert (header.split()[-1], row.split()[-1]) == ("MEMORYDEATHS", "2")
    assert json.loads(past("cacct", "--json", "-j", "5").out)["job_info_list"][0]["memory_deaths"] == 2
    assert " MemoryDeaths=2" in past("ccontrol", "show", "job", "5").out
    assert "ended Completed (2 processes were killed: out of memory)" in past("ccontrol", "story", "5").out
    assert past("ceff", "5").out.endswith("WARNING: 2 processes were killed: out of memory\n")
    assert json.loads(past("ceff", "--json", "5").out)["efficiency_info_list"][0]["memory_deaths"] == 2


def test_a_story_has_the_run_that_ends_while_it_is_asked_for(
    past: Shell, cluster: Base, record: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited, alive = [], cluster.service.query.queue.alive

    def then() -> object:
        """The run ends before, or just after, somebody looks at what is alive."""
        if awaited:
            cluster.end(5)
        return alive()

    monkeypatch.setattr(cluster.service.query._filing, "wait", lambda: (awaited.append(1), record()))
    monkeypatch.setattr(cluster.service.query.queue, "alive", then)
    assert "run 1 began" in past("ccontrol", "story", "5").out
