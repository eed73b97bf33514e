"""Test what cannot be meant, or not be done, is refused: the exact message, the exit code, and no job id taken."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

OK = "#!/bin/sh\necho fine\n"
_TIME = "write minutes, MM:SS, H:MM:SS, D-H:MM:SS, units such as 1h30m, or unlimited"
_SIZE = "write a number with one of K M G T or nothing (MB), such as 1G"
_ID = "write a job, element or step id, such as 12, 12_4, 12_[1-3,5], 12.3 or 12_4.2"
_WHOLE = "job ids are whole numbers from 1, without leading zeros"
_ARRAY = "--array: invalid job array specification: "
_INDEX = "write indexes and ranges, such as 0-31, 1,3,5 or 1-7:2, and a limit last, such as 0-31%4"

_SHOWN = "job, step, node, partition, config, lic, dependents"
_ACTIONS = (
    "there are show, update, requeue, requeuehold, hold, holdu, uhold, release, suspend, resume, top, explain, story"
)


class Counter:
    """Knows the next id: the last one it has taken, and one."""

    def __init__(self, crane: Cluster) -> None:
        """Take the first."""
        self.crane = crane
        self.last = self._take()

    def _take(self) -> int:
        return self.crane.submit("--hold", "--wrap", "true")

    def unchanged(self) -> bool:
        """Return whether nobody has taken an id since the last look."""
        before, self.last = self.last, self._take()
        return self.last == before + 1


@pytest.fixture(scope="module")
def counter(crane: Cluster) -> Counter:
    """The cluster's ids."""
    return Counter(crane)


@pytest.fixture
def refuses(crane: Cluster, counter: Counter) -> Iterator[Cluster]:
    """The cluster; afterwards no id may have been taken."""
    yield crane
    assert counter.unchanged(), "a job id was taken by what was refused"


def told(text: str) -> str:
    """Return what is printed for an InputError."""
    return f"cbatch: error: {text}\ntry 'cbatch --help'\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "job.sh: the script is empty: write the commands to run into it"),
        (b" \n\n", "job.sh: the script is empty: write the commands to run into it"),
        (
            b"\x7fELF\x02\x01\x01\0\0\0",
            "job.sh: the script is a binary file: submit a text script, or a program with --wrap",
        ),
        (
            b"#!/bin/sh\n# \0\n",
            "job.sh: the script is a binary file: submit a text script, or a program with --wrap",
        ),
        (
            b"#!/bin/sh\r\necho\r\n",
            r"job.sh: the script has DOS line breaks (\r\n): mend it with dos2unix FILE or sed -i 's/\r$//' FILE",
        ),
        (
            b"#!/bin/sh\r\n#CBATCH -n 1\r\n",
            r"job.sh: the script has DOS line breaks (\r\n): mend it with dos2unix FILE or sed -i 's/\r$//' FILE",
        ),
        (
            b"#!/bin/sh\n\n#CBATCH --tiem 5\n",
            "job.sh:3 #CBATCH: unknown option '--tiem'; did you mean '--time'?",
        ),
        (b"#!/bin/sh\n#SBATCH --foo\n", "job.sh:2 #SBATCH: unknown option '--foo'"),
        (b"#!/bin/sh\n#CBATCH --time abc\n", f"job.sh:2 #CBATCH: --time: bad time span 'abc': {_TIME}"),
        (b"#!/bin/sh\n#CBATCH --mem 1X # much\n", f"job.sh:2 #CBATCH: --mem: bad memory size '1X': {_SIZE}"),
        (
            b"#!/bin/sh\n#CBATCH -d afterok:1+x\n",
            "job.sh:2 #CBATCH: --dependency: bad delay 'x': write minutes, or units such as 90m, 1h30m or 2s",
        ),
        (b"#!/bin/sh\n#CBATCH run.sh\n", "job.sh:2 #CBATCH: 'run.sh' is no option; write --option=value"),
    ],
)
def test_scripts(refuses: Cluster, content: bytes, message: str) -> None:
    (refuses.work / "job.sh").write_bytes(content)
    assert refuses.run("cbatch", "job.sh", code=2).stderr == told(message)


def test_no_script(refuses: Cluster) -> None:
    message = "there is no such file; check the path, or give a command with --wrap"
    assert refuses.run("cbatch", "nosuch.sh", code=2).stderr == told(f"script 'nosuch.sh': {message}")
    message = "it is a directory; name a script in it"
    assert refuses.run("cbatch", "/tmp", code=2).stderr == told(f"script '/tmp': {message}")
    message = "stdin: the script is empty: write the commands to run into it"
    assert refuses.run("cbatch", code=2).stderr == told(message)
    assert refuses.run("cbatch", "--wrap", " ", code=2).stderr == told("--wrap: the command is empty")
    message = "--wrap excludes a script: give one of them"
    assert refuses.run("cbatch", "--wrap", "true", "x.sh", code=2).stderr == told(message)


_VALUES = [
    ("--tiem", "5", "unknown option '--tiem'; did you mean '--time'?"),
    ("--zzz", "5", "unknown option '--zzz'"),
    *[
        ("-t", text, f"--time: bad time span '{text}': {_TIME}")
        for text in ("", "abc", "1:2:3:4", "-5", "1-x", "9" * 20, "1 h")
    ],
    *[("--mem", text, f"--mem: bad memory size '{text}': {_SIZE}") for text in ("", "abc", "1X", "-1", "1..5G")],
    (
        "--mem",
        "9" * 20 + "G",
        f"--mem: memory size '{'9' * 20}G' is beyond any machine: write a smaller one, such as 4T",
    ),
    *[("-N", text, f"--nodes: '{text}' is not a whole number") for text in ("", "abc", "1.5", "1e9")],
    *[("-n", text, f"--ntasks: {text} is not from 1 to 10000000") for text in ("0", "-1", "10000001")],
    *[
        ("-c", text, f"--cpus-per-task: '{text}' is not a number of CPUs above 0")
        for text in ("", "abc", "0", "-1", "nan", "inf")
    ],
    ("-a", "", _ARRAY + f"empty array: {_INDEX}"),
    ("-a", "abc", _ARRAY + f"bad array index 'abc' in 'abc': {_INDEX}"),
    (
        "-a",
        "5-1",
        _ARRAY + "bad array index '5-1': it runs backward; write the lower index first",
    ),
    (
        "-a",
        "1-3:0",
        _ARRAY + "bad array index '1-3:0': a step of 0 never ends; write it such as 1-7:2",
    ),
    (
        "-a",
        "1-3%0",
        _ARRAY + "bad limit '%0' in array '1-3%0': write % and a number from 1, last",
    ),
    (
        "-a",
        "0-1000000",
        _ARRAY + "bad array index '0-1000000': this cluster takes indexes and steps up to 999999",
    ),
    ("-J", "a\nb", r"--job-name: bad job name 'a\nb': take out the line break or NUL character"),
    ("-d", "afterok:", "--dependency: dependency 'afterok:' names no job: write such as afterok:100"),
    ("-d", "after100", "--dependency: bad dependency 'after100': put a colon before the id, after:100"),
    ("-d", "AFTEROK:1", "--dependency: unknown dependency type 'AFTEROK'; did you mean 'afterok'?"),
    ("-d", "afterok:1:1", "--dependency: duplicate job 1 in dependency 'afterok:1:1': name each job once"),
    (
        "-d",
        "afterok:1,afternotok:1",
        "--dependency: duplicate job 1 in dependency 'afterok:1,afternotok:1': name each job once",
    ),
    (
        "-d",
        "afterok:1,afterok:2?afterok:3",
        "--dependency: bad dependency 'afterok:1,afterok:2?afterok:3':"
        " ',' (all) and '?' (any) cannot be mixed; use one of them",
    ),
    (
        "-d",
        "after:1+00:00:01",
        "--dependency: bad delay '+00:00:01' in dependency 'after:1+00:00:01': ':' separates job ids here; write +1s",
    ),
    (
        "-d",
        "after:1+00:00:02",
        "--dependency: bad delay '+00:00:02' in dependency 'after:1+00:00:02': ':' separates job ids here; write +2s",
    ),
    ("-w", "n9", "--nodelist: there is no node 'n9': there are n1, n2"),
    ("--repeat", "0", "--repeat: '0' is not a number from 1 to 10000"),
    ("--open-mode", "x", "--open-mode: 'x' is none of truncate, append"),
]


@pytest.mark.parametrize(("option", "value", "message"), _VALUES)
def test_values(refuses: Cluster, option: str, value: str, message: str) -> None:
    assert refuses.run("cbatch", option, value, "--wrap", "true", code=2).stderr == told(message)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ("-c", "100"),
            "100 CPUs, 102400M on one node were asked for; partition main has at most 4 CPUs, 4096M on a node",
        ),
        (("-N", "3"), "3 nodes were asked for; partition main has 2"),
        (
            ("--mem", "100G"),
            "1 CPUs, 102400M on one node were asked for; partition main has at most 4 CPUs, 4096M on a node",
        ),
        (
            ("--gres", "gpu:1"),
            "1 CPUs, 1024M, 1 gpu on one node were asked for;"
            " partition main has at most 4 CPUs, 4096M, 0 gpu on a node",
        ),
        (("-d", "afterok:99999"), "dependency on job 99999, which does not exist"),
        (("-d", "afterok:1_5"), "job 1 is no array: write 1 without elements"),
        (("-p", "other"), "no partition 'other': there is main"),
    ],
)
def test_impossible(refuses: Cluster, args: tuple[str, ...], message: str) -> None:
    assert refuses.run("cbatch", *args, "--wrap", "true", code=4).stderr == f"Job allocation failed: {message}.\n"


def test_a_question_ends_with_its_mark(refuses: Cluster) -> None:
    said = refuses.run("cbatch", "-p", "mian", "--wrap", "true", code=4).stderr
    assert said == "Job allocation failed: no partition 'mian'; did you mean 'main'?\n"


def test_a_refusal_in_json(refuses: Cluster) -> None:
    said = refuses.run("cbatch", "--json", "-N", "3", "--wrap", "true", code=4)
    assert said.stderr == ""
    reason = "3 nodes were asked for; partition main has 2"
    assert said.stdout == f'{{"ok": false, "code": "E_INFEASIBLE", "reason": "{reason}"}}\n'


def test_too_much_environment(refuses: Cluster) -> None:
    env = {f"BIG{number}": "x" * 100_000 for number in range(17)}
    said = refuses.run("cbatch", "--wrap", "true", code=2, env=env).stderr
    assert re.fullmatch(
        r"cbatch: error: arguments and environment have \d+K together, the limit is 1536K:"
        r" pass large data in files, or fewer variables with --export\ntry 'cbatch --help'\n",
        said,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"no id given: {_ID}"),
        *[(text, f"bad id '{text}': {_ID}") for text in ("abc", "12_", "_3", "-1", "12.3.4", "12_3_4", "1;2")],
        *[(text, f"bad id '{text}': {_WHOLE}") for text in ("0", "9" * 20)],
    ],
)
def test_ids(crane: Cluster, text: str, message: str) -> None:
    for command, *words in (["ccancel"], ["ccontrol", "show", "job"], ["cqueue", "-j"], ["cacct", "-j"]):
        said = crane.run(command, *words, text, code=2).stderr
        assert said == f"{command}: error: {message}\ntry '{command} --help'\n"


def test_the_step_of_the_node_can_be_looked_at_and_nothing_else(crane: Cluster) -> None:
    """Step 0 is the node's own part of a job: accounting has it."""
    message = "bad id '12.0': steps are numbered from 1, such as 12.1"
    for command, *words in (["ccancel"], ["ccontrol", "show", "job"], ["ccontrol", "hold"], ["cqueue", "-j"]):
        said = crane.run(command, *words, "12.0", code=2).stderr
        assert said == f"{command}: error: {message}\ntry '{command} --help'\n"
    assert crane.run("cacct", "-j", "12.0", "--noheader").stdout == ""


def test_ids_that_do_not_exist(crane: Cluster) -> None:
    assert crane.run("ccancel", "999", code=4).stderr == "Failed to cancel job: 999. Reason: Job not found.\n"
    said = crane.run("ccontrol", "show", "job", "999", code=4).stderr
    assert said == "ccontrol: error: Job 999 is not running (see cacct for what has ended)\n"
    said = crane.run("ccontrol", "hold", "999", code=4).stderr
    assert said.startswith("Failed to modify job: 999. Reason: ")


@pytest.mark.parametrize("option", ["--pod", "--pod-name=x", "--reservation=r"])
def test_options_that_come_later(refuses: Cluster, option: str) -> None:
    why = "there are no reservations here yet: " if "reservation" in option else ""
    name = option[:2] if option[1] != "-" else option.partition("=")[0]
    said = refuses.run("cbatch", option, "--wrap", "true", code=1).stderr
    assert said == f"cbatch: error: {name} is not supported yet: {why}leave it out\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("calloc", "calloc is not supported yet: use cbatch, and crun in its script"),
        ("calloc -n 4", "calloc is not supported yet: use cbatch, and crun in its script"),
        ("ccon ps", "ccon is not supported yet: use cbatch, and crun in its script"),
        (
            "crun hostname",
            "crun outside a job is not supported yet: submit with cbatch, and use crun in its script",
        ),
        ("ccontrol create reservation x", f"ccontrol create is not supported yet: {_ACTIONS}"),
        (
            "ccontrol show reservation",
            f"ccontrol show reservation is not supported yet: there are {_SHOWN}",
        ),
    ],
)
def test_commands_that_come_later(refuses: Cluster, command: str, message: str) -> None:
    name, *words = command.split()
    assert refuses.run(name, *words, code=1).stderr == f"{name}: error: {message}\n"


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("ccontrol frob", 2, f"unknown action 'frob': {_ACTIONS}"),
        ("ccontrol shwo job", 2, "unknown action 'shwo'; did you mean 'show'?"),
        ("ccontrol show foo", 2, f"show what? write one of {_SHOWN}"),
        ("ccancel", 2, "name jobs to cancel, or at least one condition such as --user, --name or --state"),
        ("cqueue x", 2, "unexpected argument 'x'"),
        ("cinfo --bogus", 2, "unknown option '--bogus'"),
        ("cqueue -o foo", 5, "bad format 'foo': name at least one column, such as %j"),
    ],
)
def test_other_commands(crane: Cluster, command: str, code: int, message: str) -> None:
    name, *words = command.split()
    assert crane.run(name, *words, code=code).stderr.splitlines()[0] == f"{name}: error: {message}"


def test_a_configuration_with_an_unknown_key(crane: Cluster, tmp_path: Path) -> None:
    text = (crane.home / "config.yaml").read_text()
    file = tmp_path / "config.yaml"
    line = text.count("\n") + 1
    env = {"CRANE_CONFIG": str(file)}
    file.write_text(f"{text}Bogus: 1\n")
    assert crane.run("crane", "config", code=6, env=env).stderr == f"crane: error: {file}:{line}: Bogus: unknown key\n"
    file.write_text(f"{text}DefualtPartition: main\n")
    said = crane.run("crane", "config", code=6, env=env).stderr
    assert said == f"crane: error: {file}:{line}: DefualtPartition: unknown key; did you mean 'DefaultPartition'?\n"
    file.write_text("Nodes: [\n")
    assert crane.run("crane", "config", code=6, env=env).stderr.startswith(f"crane: error: {file}:2: not YAML: ")


def test_commands_without_a_cluster(crane: Cluster, tmp_path: Path) -> None:
    env = {"CRANE_HOME": str(tmp_path), "CRANE_CONNECT_TIMEOUT": "0.1"}
    for command in ("cqueue", "cinfo", "cacct"):
        said = crane.run(command, code=3, env=env).stderr
        assert said.startswith(f"{command}: error: no gateway answers at {os.fspath(tmp_path)}/run/gateway.sock")
