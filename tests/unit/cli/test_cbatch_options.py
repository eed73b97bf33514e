"""cbatch: where options come from, arrays made from lists, and what a dry run says."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from crane_celery.model.body import item_at, split
from crane_celery.model.job import JobSpec
from tests.unit.cli.support import Shell
from tests.unit.service.support import Cluster


def spec(cluster: Cluster, id: int = 1) -> JobSpec:
    """Return what was submitted as this job."""
    job = cluster.store.job(id)
    assert job is not None
    return job.spec


def script(path: Path, *lines: str) -> str:
    """A script with these lines after its first."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "true", "")))
    return path.name


def items(cluster: Cluster, id: int = 1) -> list[str]:
    """The values of an array's elements, by rank."""
    job, body = cluster.store.job(id), cluster.store.body(id)
    assert job is not None and body is not None
    packed = split(body)[1]
    return [item_at(lambda count, at: packed[at : at + count], rank).decode() for rank in range(job.count)]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("#BSUB -J lsf", "name", "lsf"),
        ('#BSUB -J "lsf[1-9:2]%2"', "name", "lsf"),
        ('#BSUB -J "lsf[1-9:2,20]"', "array", "1-9:2,20"),
        ('#BSUB -J "[1-3]%2"', "throttle", 2),
        ("#BSUB -W 1:30 -M 500 -q small", "memory", 500 << 20),
        ("#BSUB -W 0:30 -q small", "time_limit", 1800),
        ("#BSUB -n 2 -nnode 2", "ntasks", 4),
        ("#CBATCH --exclusive=true", "exclusive", True),
        ("#SBATCH --exclusive=no", "exclusive", False),
        ("#SBATCH --comment='two words' # why", "comment", "two words"),
        ("#SBATCH --no-requeue", "requeue", "never"),
        ("#SBATCH --requeue", "requeue", "failure"),
        ("#CBATCH -s B:USR1@90", "signal", "B:USR1@90"),
        ("#CBATCH --kill-on-invalid-dep=no", "kill_on_invalid_dep", "no"),
        ("#CBATCH -a 1-3 --array-max-fails 2", "max_fails", 2),
        ("#SBATCH --mail-type=END --mail-user=me", "extra", '{"mail.type":"END","mail.user":"me"}'),
        ("""#CBATCH --extra-attr '{"a": [1]}'""", "extra", '{"a":[1]}'),
        ("#SBATCH -Q high", "qos", "high"),
    ],
)
def test_directives(shell: Shell, cluster: Cluster, tmp_path: Path, line: str, field: str, value: object) -> None:
    said = shell("cbatch", "-t", "60", script(tmp_path / "a.sh", line)) if "-M" in line else None
    said = said or shell("cbatch", script(tmp_path / "a.sh", line))
    assert said.code == 0, said.err
    assert getattr(spec(cluster), field) == value


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("#BSUB -X 1", "line 2 #BSUB: unknown option '-X'"),
        ("#BSUB -J", "line 2 #BSUB: -J has no value"),
        ("#BSUB -J a[3-1]", ":2 #BSUB: --array: invalid job array specification"),
        ("#BSUB -J a[1-3]%x", "bad limit '%x'"),
        ("#CBATCH --exclusive=perhaps", "a.sh:2 #CBATCH: --exclusive: 'perhaps' is neither yes nor no"),
        ("#SBATCH --aray=1-3", "a.sh:2 #SBATCH: unknown option '--aray'; did you mean '--array'?"),
        ("#SBATCH --begin=soon", "a.sh:2 #SBATCH: --begin: bad time 'soon'"),
        ("#SBATCH --signal=FOO", "a.sh:2 #SBATCH: --signal: unknown signal 'FOO'"),
        ("#SBATCH --extra-attr=[1]", "a.sh:2 #SBATCH: --extra-attr: must be a JSON object"),
        ("#SBATCH --requeue --no-requeue", "not allowed with argument --requeue"),
    ],
)
def test_bad_directives_name_their_line(shell: Shell, tmp_path: Path, line: str, text: str) -> None:
    said = shell("cbatch", script(tmp_path / "a.sh", line))
    assert said.code == 2 and text in said.err


def test_layers(shell: Shell, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = script(tmp_path / "a.sh", "#SBATCH -J script -t 10 --mem-per-cpu=1G --requeue --hold")
    monkeypatch.setenv("CBATCH_JOB_NAME", "env")
    monkeypatch.setenv("CBATCH_TIME", "20")
    monkeypatch.setenv("CBATCH_EXCLUSIVE", "1")
    monkeypatch.setenv("CBATCH_HOLD", "0")
    assert shell("cbatch", "-t", "30", "--mem", "3G", "--no-requeue", name).code == 0
    found = spec(cluster)
    assert (found.name, found.time_limit, found.memory, found.requeue) == ("env", 1800, 3 << 30, "never")
    assert found.exclusive


@pytest.mark.parametrize(("argv", "login"), [((), False), (("--export=NONE",), True), (("--export=ALL",), False)])
def test_a_login_environment_is_made_only_where_it_was_asked_for(
    shell: Shell, cluster: Cluster, argv: tuple[str, ...], login: bool
) -> None:
    assert shell("cbatch", *argv, "--wrap", "true").code == 0
    body = cluster.store.body(1)
    assert body is not None and json.loads(body)["get_user_env"] is login


def test_variables_that_are_wrong(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBATCH_PARTITON", "small")
    said = shell("cbatch", "--wrap", "true")
    assert said.code == 0 and "CBATCH_PARTITON is in the environment and names no option" in said.err
    assert "CBATCH_PARTITION" in said.err
    monkeypatch.setenv("CBATCH_TIME", "soon")
    said = shell("cbatch", "--wrap", "true")
    assert said.code == 2 and "CBATCH_TIME: --time: bad time span 'soon'" in said.err


def test_an_element_for_each_line(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("one\n\n three \n")
    assert shell("cbatch", "--array-each-line", "list", "--wrap", "true").code == 0
    assert (spec(cluster).array, items(cluster)) == ("0-2", ["one", "", " three "])
    assert shell("cbatch", "--array-each-line", "list", "--array=%2", "--wrap", "true").code == 0
    assert (spec(cluster, 4).array, spec(cluster, 4).throttle) == ("0-2", 2)
    assert shell("cbatch", "--array-each-line", "list", "-a", "2,0", "--wrap", "true").code == 0
    assert (spec(cluster, 7).array, items(cluster, 7)) == ("0,2", ["one", " three "])


def test_an_element_for_each_value(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "list").write_text('["a b", 1, {"k": [1, null]}, "é"]')
    name = script(tmp_path / "a.sh", "#CBATCH --array-from-json=list")
    assert shell("cbatch", name).code == 0
    assert items(cluster) == ["a b", "1", '{"k":[1,null]}', "é"]
    (tmp_path / "list").write_text('\ufeff["é", 1.5, -2e3]')
    assert shell("cbatch", name).code == 0
    assert items(cluster, 5) == ["é", "1.5", "-2000.0"]


@pytest.mark.parametrize(
    ("content", "argv", "text"),
    [
        ("", ("--array-each-line", "list"), "'list' is empty"),
        ("a\r\nb\r\n", ("--array-each-line", "list"), "DOS line breaks"),
        ("a\n", ("--array-each-line", "none"), "'none' cannot be read"),
        ("a\n", ("--array-each-line", "list", "-a", "1"), "index 1 is beyond the list"),
        ("a\n", ("--array-each-line", "list", "--array-from-json", "list"), "exclude each other"),
        ("a\n", ("--array-each-line", "list", "--repeat", "2"), "excludes an array"),
        ("a\n", ("--array-each-line", "list", "-a", "%0"), "bad limit '%0'"),
        ("a\nb\0\n", ("--array-each-line", "list"), "item 1 of the array has a NUL"),
        ("a\n", ("-a", "--"), "expected one argument"),
        ("a\n", ("--array=--",), "bad array index '--'"),
        ('["a", "\\ud800"]', ("--array-from-json", "list"), "item 1 of the array has half a character"),
        ("[1, NaN]", ("--array-from-json", "list"), "'list' is not JSON: it has NaN: write null or a text"),
        ("[-Infinity]", ("--array-from-json", "list"), "it has -Infinity"),
        ("[1e999]", ("--array-from-json", "list"), "the number 1e999 is too large"),
        ("[" * 100_000, ("--array-from-json", "list"), "nested too deep"),
        (f"[{'9' * 5000}]", ("--array-from-json", "list"), "is not JSON: Exceeds the limit"),
        ("x" * (128 << 10), ("--array-each-line", "list"), "item 0 of the array has 128K"),
        ("{}", ("--array-from-json", "list"), "must hold a list"),
        ("[", ("--array-from-json", "list"), "is not JSON"),
    ],
)
def test_bad_lists(
    shell: Shell, cluster: Cluster, tmp_path: Path, content: str, argv: tuple[str, ...], text: str
) -> None:
    (tmp_path / "list").write_bytes(content.encode())
    said = shell("cbatch", *argv, "--wrap", "true")
    assert said.code == 2 and text in said.err
    assert cluster.store.jobs() == []


def test_a_dry_run(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        {"start": 1e9, "nodes": "cn[1-2]", "notices": ["so"]},
        {"start": 0, "nodes": "", "reason": "Licenses"},
        {"start": 1e9, "nodes": "cn1"},
    ]
    monkeypatch.setattr("crane_celery.gateway.client.call", lambda verb, args: (verb, args) and answers.pop(0))
    said = shell("cbatch", "--test-only", "--wrap", "true")
    assert re.fullmatch(r"Job would start at 2001-09-\d\d \d\d:\d\d:\d\d on cn\[1-2\]\n", said.out)
    assert said.err == "cbatch: so\n"
    assert shell("cbatch", "--test-only", "--wrap", "true").out.endswith("Licenses\n")
    assert json.loads(shell("cbatch", "--test-only", "--json", "--wrap", "true").out)["nodes"] == "cn1"
    assert cluster.store.jobs() == []


def test_a_retry_runs_what_did_not_complete(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a\nb\nc\nd\ne\nf\n")
    shell("cbatch", "--array-each-line", "list", "-t", "60", "-J", "sweep", "--wrap", "true")
    for rank, code in ((0, 0), (1, 3), (2, 0), (3, 1)):
        cluster.run(1, rank, code)
    cluster.begin(1, 4)
    said = shell("cbatch", "--array-retry", "1")
    assert (said.code, said.out) == (0, "Job id allocated: 7.\n")
    assert said.err == "cbatch: 2 elements of 1 have not ended: they are left as they are\n"
    found = spec(cluster, 7)
    assert (found.array, found.name, found.time_limit, items(cluster, 7)) == ("1,3", "sweep", 3600, ["b", "d"])
    assert shell("cbatch", "--array-retry", "1_[0,3-5]", "--hold", "--parsable").out == "9\n"
    job = cluster.store.job(9)
    assert job is not None and (job.spec.array, job.held, items(cluster, 9)) == ("3", "0", ["d"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--mem", "1G", "-t", "2:00:00"), {"memory": 1 << 30, "time_limit": 7200, "cpus_per_task": 2.0}),
        (("--mem-per-cpu", "100M"), {"memory": 200 << 20, "time_limit": 3600}),
        (
            (
                "-c",
                "3",
            ),
            {"cpus_per_task": 3.0, "memory": 256 << 20},
        ),
        (("-N", "2"), {"nodes": 2, "ntasks": 2, "ntasks_per_node": 0}),
        (("-n", "3"), {"nodes": 1, "ntasks": 3}),
        (
            ("-J", "again", "-o", "again-%a", "--open-mode=append"),
            {"name": "again", "stdout": "again-%a", "open_mode": "append"},
        ),
        (("--requeue", "--array-max-fails", "2"), {"requeue": "failure", "max_fails": 2}),
        (("--comment", "x", "-x", "cn1"), {"comment": "x", "exclude": ("cn1",)}),
        (("-s", "USR1@60", "--extra-attr", '{"b": 2}'), {"signal": "USR1@60", "extra": '{"a":1,"b":2}'}),
    ],
)
def test_a_retry_with_other_options(
    shell: Shell, cluster: Cluster, options: tuple[str, ...], expected: dict[str, object]
) -> None:
    """Those given change, all others stay."""
    first = ("-t", "60", "-c", "2", "--mem", "256M", "--extra-attr", '{"a": 1}', "-o", "first")
    shell("cbatch", "--array=1-3", *first, "--wrap", "true")
    cluster.run(1, 1, code=1)
    said = shell("cbatch", "--array-retry", "1", "--parsable", *options)
    assert (said.code, said.out) == (0, "4\n"), said.err
    before, after = vars_of(spec(cluster, 1)), vars_of(spec(cluster, 4))
    changed = {name: value for name, value in after.items() if value != before[name]}
    assert {name: after[name] for name in expected} == expected
    assert changed.keys() <= {*expected, "array"} and after["array"] == "2"


def vars_of(found: JobSpec) -> dict[str, object]:
    """All fields."""
    return {field.name: getattr(found, field.name) for field in fields(found)}


def test_a_retry_takes_a_dependency(shell: Shell, cluster: Cluster) -> None:
    shell("cbatch", "--array=1-3", "--wrap", "true")
    shell("cbatch", "--wrap", "true")
    cluster.run(1, 1, code=1)
    shell("cbatch", "--array-retry", "1", "-d", "afterok:4")
    job = cluster.store.job(5)
    assert job is not None and (job.ready, job.spec.dependency) == (-1.0, "afterok:4") and job.dep


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--mem", "1T"), 4, "1048576M on one node were asked for"),
        (("--mem", "lots"), 2, "--mem: bad memory size"),
        (("-t", "x"), 2, "--time"),
        (("--array=1-2",), 2, "--array cannot be changed when an array is submitted again: name the elements"),
        (("--repeat=2",), 2, "--repeat cannot be changed"),
        (("--interpreter=/bin/sh",), 2, "--interpreter cannot be changed when an array is submitted again: it belongs"),
        (("-p", "nowhere"), 4, "no partition 'nowhere'"),
        (("-d", "afterok:99"), 4, "does not exist"),
        (("--mem=1G", "--mem-per-cpu=1G"), 2, "--mem"),
    ],
)
def test_a_retry_refuses_what_it_cannot_change(
    shell: Shell, cluster: Cluster, options: tuple[str, ...], code: int, text: str
) -> None:
    shell("cbatch", "--array=1-3", "--wrap", "true")
    cluster.run(1, 1, code=1)
    said = shell("cbatch", "--array-retry", "1", *options)
    assert (said.code, text in said.err) == (code, True), (said.code, said.err)
    assert cluster.store.find(4) is None


def test_retries_that_cannot_be(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("cbatch", "--array=3-5", "--wrap", "true")
    shell("cbatch", "--wrap", "true")
    cluster.run(1, 0)
    for argv, code, text in (
        (("1",), 4, "what has ended of it has completed, 2 have not ended"),
        (("4",), 2, "job 4 is no array"),
        (("99",), 4, "there is no array 99"),
        (("1_9",), 4, "no such element"),
        (("1.2",), 2, "is a step"),
        (("1,4",), 2, "name one array"),
        (("1", "--wrap", "true"), 2, "leave --wrap out"),
        (("1", "--export=NONE"), 2, "leave --export out"),
        (("1", "x.sh"), 2, "leave 'x.sh' out"),
    ):
        said = shell("cbatch", "--array-retry", *argv)
        assert (said.code, text in said.err) == (code, True), said.err
    cluster.run(1, 1, 1)
    cluster.run(1, 2)
    monkeypatch.setattr(cluster.store, "job", lambda _: None)
    monkeypatch.setattr(cluster.store, "find", lambda _: None)
    monkeypatch.setattr(cluster.service.past, "array_of", lambda _: "3-5")
    said = shell("cbatch", "--array-retry", "1")
    assert said.code == 4 and "has left the server" in said.err and "--array=4" in said.err
