"""Test what a user does with jobs, by command, on a real cluster: each option does what it says."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crane_celery.gateway import client
from crane_celery.supervisor.processes import alive, record_of, wait_gone
from tests.support.cluster import PATIENCE_S, Cluster

#: as a shell takes it: the checkout may lie in a path with a blank
PYTHON = shlex.quote(sys.executable)
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def shown(crane: Cluster, job: int, field: str) -> str:
    """A field of ``ccontrol show job``."""
    text = crane.run("ccontrol", "show", "job", str(job)).stdout
    found = re.search(rf"\b{field}=(.*?)(?= \w+=|\n)", text)
    assert found, text
    return found[1]


def ran(crane: Cluster, *args: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """Submit with an output file, wait for success, and give what was printed."""
    done = crane.run("cbatch", "--parsable", "-o", "%j.out", *args, stdin=stdin, env=env)
    job = int(done.stdout)
    assert crane.wait(job) == {job: 0}, crane.run("ccontrol", "show", "job", str(job)).stdout
    return (crane.work / f"{job}.out").read_text(errors="surrogateescape")


def test_a_script_with_arguments(crane: Cluster) -> None:
    (crane.work / "args.sh").write_text('#!/bin/bash\nprintf "%s|" "$@"; echo ${BASH_VERSION%%.*}\n')
    said = ran(crane, "args.sh", "a b", "", "c'd\"e$(f)`g`", "-x", "ü")
    assert said.rpartition("|")[0] == "a b||c'd\"e$(f)`g`|-x|ü"


def test_ten_thousand_arguments(crane: Cluster) -> None:
    (crane.work / "count.sh").write_text("#!/bin/sh\nshift 9999; echo $# $1\n")
    assert ran(crane, "count.sh", *map(str, range(10_000))) == "1 9999\n"


def test_a_script_on_standard_input_and_without_a_shebang(crane: Cluster) -> None:
    assert ran(crane, stdin="#!/bin/sh\necho piped\n") == "piped\n"
    (crane.work / "bare").write_text("echo bare\n")
    assert ran(crane, "bare") == "bare\n"
    assert ran(crane, "--interpreter", sys.executable, stdin="print(6 * 7)\n") == "42\n"


def test_a_megabyte_of_environment(crane: Cluster) -> None:
    env = {f"BIG{number}": "x" * 100_000 for number in range(10)}
    assert int(ran(crane, "--wrap", "env | grep -c ^BIG", env=env)) == 10


def test_bytes_that_are_no_text_travel(crane: Cluster) -> None:
    env = {"ODD": os.fsdecode(b"\xff\n'\"$x")}
    assert ran(crane, "--wrap", 'printf %s "$ODD"', env=env) == os.fsdecode(b"\xff\n'\"$x")
    (crane.work / "latin").write_bytes(b"#!/bin/sh\necho \xff\xfe\n")
    assert ran(crane, "latin") == os.fsdecode(b"\xff\xfe\n")


def test_export(crane: Cluster) -> None:
    env = {"ONE": "1", "TWO": "2"}
    show = "echo ${ONE-none} ${TWO-none} ${THREE-none}"
    assert ran(crane, "--wrap", show, env=env) == "1 2 none\n"
    assert ran(crane, "--export", "NIL", "--wrap", show, env=env) == "none none none\n"
    assert ran(crane, "--export", "TWO,THREE=3", "--wrap", show, env=env) == "none 2 3\n"
    assert ran(crane, "--export", "ALL,THREE=3", "--wrap", show, env=env) == "1 2 3\n"


@pytest.mark.parametrize("name", ["q'u\"o`te $(x)", "ü☃", "-n", "%j", "a b", "x" * 60])
def test_names(crane: Cluster, name: str) -> None:
    job = crane.submit("-o", "%j.out", f"--job-name={name}", "--wrap", 'printf %s "$CRANE_JOB_NAME"')
    crane.wait(job)
    assert (crane.work / f"{job}.out").read_text() == name
    assert crane.json("cacct", "-j", str(job))["job_info_list"][0]["name"] == name


def test_a_name_with_a_nul_is_refused_by_the_gateway(crane: Cluster) -> None:
    job = {"options": {"job_name": "a\0b"}, "script": "#!/bin/sh\n", "env": {}, "cwd": "/"}
    with pytest.raises(Exception, match="without NUL"):
        client.call("submit", {"jobs": [job], "key": ""}, str(Path(crane.settings.run_dir) / "gateway.sock"))


def test_directives_and_the_command_line(crane: Cluster) -> None:
    script = (
        '#!/bin/sh\n#CBATCH -J "two words" # why\n#SBATCH --time=1:30\n#CBATCH -n 2\n'
        'echo "$CRANE_JOB_NAME" $CRANE_NTASKS $CRANE_TIMELIMIT\n'
    )
    assert ran(crane, "-n", "3", stdin=script) == "two words 3 00:01:30\n"


def test_resources_reach_the_job(crane: Cluster) -> None:
    show = "echo $CRANE_NTASKS $CRANE_CPUS_PER_TASK $CRANE_CPUS_ON_NODE $CRANE_MEM_PER_NODE $CRANE_JOB_PARTITION"
    assert ran(crane, "-n2", "-c1.5", "--mem=1G", "-pmain", "-t5", "--wrap", show) == "2 1.50 3 1024M main\n"
    said = ran(crane, "-N2", "--wrap", "echo $CRANE_JOB_NUM_NODES; echo $CRANE_JOB_NODELIST | tr ';' '\\n' | sort")
    assert said == "2\nn1\nn2\n"
    assert ran(crane, "-w", "n2", "--wrap", "echo $CRANE_JOB_NODELIST") == "n2\n"


def test_files(crane: Cluster) -> None:
    (crane.work / "in.txt").write_text("from a file\n")
    script = "cat; echo err >&2"
    job = crane.submit("-i", "in.txt", "-o", "deep/er/%x-%5j.out", "-e", "deep/%j.err", "-J", "fi", "--wrap", script)
    assert crane.wait(job) == {job: 0}
    assert (crane.work / f"deep/er/fi-{job:05}.out").read_text() == "from a file\n"
    assert (crane.work / f"deep/{job}.err").read_text() == "err\n"
    assert ran(crane, "-D", "/usr", "--wrap", "pwd; echo both >&2", "-o", str(crane.work / "%j.out")) == "/usr\nboth\n"
    odd = "line\nbreak \"q' ü.out"
    for mode in ("truncate", "append"):
        job = crane.submit("--open-mode", mode, "-o", odd, "--wrap", "echo more")
        crane.wait(job)
    assert (crane.work / odd).read_text() == "more\nmore\n"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("-D/nonexistent", "working directory /nonexistent: No such file or directory"),
        ("-o/proc/none/x", "output file /proc/none/x: No such file or directory"),
        ("-e/proc/none/x", "output file /proc/none/x: No such file or directory"),
        ("-i/nonexistent", "input file /nonexistent: No such file or directory"),
    ],
)
def test_what_the_node_lacks_fails_that_job_only(crane: Cluster, option: str, reason: str) -> None:
    job = crane.submit(option, "--wrap", "true")
    other = crane.submit("--wrap", "true")
    assert crane.wait(job, other) == {job: 323, other: 0}
    assert shown(crane, job, "JobState") == "Failed"
    assert f"Reason={reason} RunTime" in crane.run("ccontrol", "show", "job", str(job)).stdout
    assert crane.json("cacct", "-j", str(job))["job_info_list"][0]["exit_text"] == "0:67"


def test_wait_gives_the_exit_code(crane: Cluster) -> None:
    for script, code in (("exit 7", 7), ("kill -9 $$", 137), ("true", 0)):
        assert crane.run("cbatch", "--wait", "--wrap", script, code=None).returncode == code


def test_what_is_printed(crane: Cluster) -> None:
    job = crane.submit("--wrap", "true")
    assert crane.run("cbatch", "--wrap", "true").stdout == f"Job id allocated: {job + 1}.\n"
    assert crane.json("cbatch", "--wrap", "true") == {"ok": True, "job_id": job + 2}
    assert crane.run("cbatch", "--repeat", "3", "--wrap", "true").stdout == (
        f"Job id allocated: {job + 3}, {job + 4}, {job + 5}.\n"
    )
    said = crane.run("cbatch", "-A", "proj", "-q", "low", "--comment", "x", "--wrap", "true")
    assert said.stderr == "cbatch: --account, --qos, --comment: recorded, without effect on this cluster\n"


def test_hold_and_release(crane: Cluster) -> None:
    job = crane.submit("--hold", "-o", "%j.out", "--wrap", "echo at last")
    assert crane.run("cqueue", "-N", "-j", str(job), "-o", "%j %t %L").stdout.split() == [str(job), "Pending", "Held"]
    crane.run("ccontrol", "release", str(job))
    assert crane.wait(job) == {job: 0}
    said = crane.run("ccontrol", "hold", str(job), code=4).stderr
    assert said == f"Failed to modify job: {job}. Reason: Job was not found in pending queue.\n"


def test_a_running_job_is_shown_everywhere_and_cancelled(crane: Cluster) -> None:
    with fifo(crane, "seen") as wait:
        job = crane.submit("-J", "vis", "-c2", "-t", "1:00", "-w", "n1", "--wrap", "echo up > seen; exec sleep 600")
        wait()
    row = crane.json("cqueue", "-j", str(job))["job_info_list"][0]
    assert (row["status"], row["craned_list"], row["name"]) == ("Running", "n1", "vis")
    assert {step["stepid"] for step in crane.json("cqueue", "--step", str(job))["step_info_list"]} == {
        f"{job}.0",
        f"{job}.1",
    }
    assert shown(crane, job, "NodeList") == "n1"
    assert crane.run("ccontrol", "show", "step", f"{job}.1").stdout.startswith(f"StepId={job}.1 ")
    assert "State=" in crane.run("ccontrol", "show", "node", "n1").stdout
    assert "main" in crane.run("ccontrol", "show", "partition", "main").stdout
    assert "cluster = " in crane.run("ccontrol", "show", "config").stdout
    assert crane.run("ccancel", str(job)).stdout == f"Job {job} cancelled successfully.\n"
    assert crane.wait(job) == {job: 320}
    rows = crane.json("cacct", "-j", str(job))["job_info_list"]
    assert (rows[0]["status"], rows[0]["exit_text"]) == ("Cancelled", "0:64")
    said = crane.run("ccancel", str(job), code=4).stderr
    assert said.startswith(f"Failed to cancel job: {job}. Reason: ")


class fifo:
    """A file that a job writes a line to; called, it waits for that line. No polling, and a deadline by the test's."""

    def __init__(self, crane: Cluster, name: str) -> None:
        self.path = crane.work / name
        os.mkfifo(self.path)

    def __enter__(self) -> "fifo":
        return self

    def __call__(self) -> str:
        with self.path.open() as file:
            return file.readline().strip()

    def __exit__(self, *_args: object) -> None:
        self.path.unlink()


@pytest.mark.parametrize("how", ["end", "cancel"])
def test_nothing_is_left_of_processes_that_hide(crane: Cluster, how: str) -> None:
    """Double forks, sessions of their own, TERM ignored, and a child that lost its parent: all end with their job."""
    hide = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork(): os._exit(0)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "os.environ.clear(); os.chdir('/')\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()}\\n')\n"
        "time.sleep(600)\n"
    )
    (crane.work / "hide.py").write_text(hide)
    pids = f"pids-{how}"
    script = (
        f"for i in 1 2 3; do {PYTHON} hide.py $PWD/hid; read pid < hid; echo $pid; done > {pids}\n"
        f"(trap '' TERM; setsid sh -c 'echo $$ >> {pids}; echo > hid2; exec sleep 600' & )\nread x < hid2\n"
        "echo ready > told\n" + ("" if how == "end" else "exec sleep 600\n")
    )
    with fifo(crane, "told") as wait, fifo(crane, "hid"), fifo(crane, "hid2"):
        job = crane.submit("-n2", "--wrap", script)
        wait()
        found = [record_of(int(pid)) for pid in (crane.work / f"pids-{how}").read_text().split()]
        if how == "cancel":
            crane.run("ccancel", str(job))
        assert crane.wait(job) == {job: 0 if how == "end" else 320}
    assert len(found) == 4
    assert not wait_gone([each for each in found if each and alive(each)], PATIENCE_S)


@pytest.mark.root
def test_the_time_limit_ends_a_job(crane: Cluster) -> None:
    job = crane.submit("-t", "2s", "--wrap", "sleep 600")
    assert crane.wait(job) == {job: 325}
    assert shown(crane, job, "JobState") == "ExceedTimeLimit"
    assert crane.json("cacct", "-j", str(job))["job_info_list"][0]["exit_text"] == "0:69"


EAT = f"exec {PYTHON} -c 'x = bytearray(300 << 20)'"


@pytest.mark.root
def test_out_of_memory_is_told_apart_from_a_kill(crane: Cluster) -> None:
    eaten = crane.submit("--mem", "50M", "--wrap", EAT)
    killed = crane.submit("--mem", "50M", "--wrap", "kill -9 $$")
    enough = crane.submit("--mem", "500M", "--wrap", EAT)
    assert crane.wait(eaten, killed, enough) == {eaten: 265, killed: 265, enough: 0}
    assert shown(crane, eaten, "JobState") == "OutOfMemory"
    assert shown(crane, killed, "JobState") == "Failed"


@pytest.mark.root
def test_memory_deaths_that_a_job_outlives_are_counted(crane: Cluster) -> None:
    step = EAT.removeprefix("exec ")
    script = f"#!/bin/sh\n{step}\ncrun -Q {step}\nexit $1\n"
    path = crane.work / "outlives.sh"
    path.write_text(script)
    job, failed = (crane.submit("--mem", "50M", "-o", "%j.out", str(path), code) for code in ("0", "3"))
    last = crane.submit("--mem", "50M", "--wrap", f"crun -Q {step}; exit $?")
    assert crane.wait(job, failed, last) == {job: 0, failed: 3, last: 137}
    states = [shown(crane, each, "JobState") for each in (job, failed, last)]
    assert states == ["Completed", "Failed", "OutOfMemory"]
    assert [shown(crane, each, "MemoryDeaths") for each in (job, failed, last)] == ["2", "2", "1"]
    said = (crane.work / f"{job}.out").read_text().splitlines()
    assert said[-1] == f"crane: job {job} ran out of memory (limit 50M): 2 processes were killed"
    rows = crane.run("cacct", "--steps", "-j", str(job), "-N", "-o", "%j=%t=%O").stdout.split()
    assert rows == [f"{job}=Completed=2", f"{job}.0=Completed=0", f"{job}.1=Completed=1", f"{job}.2=OutOfMemory=1"]
    assert "(2 processes were killed: out of memory)" in crane.run("ccontrol", "story", str(job)).stdout


@pytest.mark.root
def test_the_processor_is_shared_by_quota(crane: Cluster) -> None:
    """A quarter of a CPU in a second of wall clock. A busy machine makes it less, never more."""
    spin = "import os, time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(os.times().user)"
    job = crane.submit("-c", "0.25", "-o", "%j.out", "--wrap", f"{PYTHON} -c '{spin}'")
    assert crane.wait(job) == {job: 0}
    assert float((crane.work / f"{job}.out").read_text()) < 0.6


@pytest.mark.root
def test_a_fork_bomb_meets_a_limit(crane: Cluster) -> None:
    bomb = (
        "import os, signal, sys\nmade = 0\n"
        "try:\n while made < 30000:\n  if os.fork() == 0: signal.pause()\n  made += 1\n"
        "except OSError: print(made); sys.stdout.flush()\n"
    )
    (crane.work / "bomb.py").write_text(bomb)
    job = crane.submit("-o", "%j.out", "--mem", "4G", "--wrap", f"{PYTHON} bomb.py")
    assert crane.wait(job) == {job: 0}
    assert int((crane.work / f"{job}.out").read_text()) < 20_000
    assert ran(crane, "--wrap", "echo and on it goes") == "and on it goes\n"


def test_two_ups_at_once(tmp_path: Path) -> None:
    """One makes and starts what the home lacks; the others wait, and find it up."""
    from tests.support.cluster import ROOT

    env = {**os.environ, "CRANE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "cli.crane"]

    def together(*args: str) -> list[tuple[int, str]]:
        made = [subprocess.Popen([*argv, "up", *args], env=env, stdout=-1, stderr=-2, text=True) for _ in range(3)]
        said = [each.communicate(timeout=PATIENCE_S)[0] for each in made]
        return sorted((each.returncode, text.splitlines()[0]) for each, text in zip(made, said, strict=True))

    try:
        home = tmp_path / "home"
        held = f"crane: error: the cluster of {home} is up already: 'crane down' first, then up with other sizes"
        assert together("--cpus", "3", "--name", "twice") == [
            (0, f"cluster twice is up: 1 node, 3 CPUs; {home}"),
            (4, held),
            (4, held),
        ]
        subprocess.run([*argv, "down"], env=env, check=True, stdout=-3)
        already = f"the cluster of {home} is up already; 'crane status' shows it"
        assert together() == [(0, f"cluster twice is up: 1 node, 3 CPUs; {home}"), (0, already), (0, already)]
    finally:
        subprocess.run([*argv, "down"], env=env, check=True, stdout=-3)
