"""No option is taken for another one, and no action is reached from a script or a variable."""

from pathlib import Path

import pytest

from cli.common.script import variables
from tests.unit.cli.support import Shell
from tests.unit.cli.test_cbatch_options import script, spec
from tests.unit.service.support import Cluster

ACTIONS = (
    "--submit-key=x",
    "-v",
    "-h",
    "--version",
    "--help",
    "--help=1",
    "-V",
    "--usage",
    "--test-only",
    "--array-retry=3",
    "--wrap=x",
)


@pytest.mark.parametrize("option", ACTIONS)
@pytest.mark.parametrize("prefix", ["#SBATCH", "#CBATCH"])
def test_no_action_is_reached_from_a_directive(
    shell: Shell, cluster: Cluster, tmp_path: Path, option: str, prefix: str
) -> None:
    said = shell("cbatch", script(tmp_path / "a.sh", f"{prefix} {option}"))
    assert (said.code, said.out) == (2, "") and cluster.store.jobs() == []
    assert f"a.sh:2 {prefix}: {option.partition('=')[0]}" in said.err


@pytest.mark.parametrize("name", ["VERSION", "HELP", "TEST_ONLY", "ARRAY_RETRY", "WRAP", "CONFIG", "USAGE"])
@pytest.mark.parametrize("prefix", ["CBATCH", "SBATCH"])
@pytest.mark.parametrize("value", ["1", "0", ""])
def test_no_action_is_reached_from_a_variable(
    shell: Shell, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, prefix: str, value: str
) -> None:
    monkeypatch.setenv(f"{prefix}_{name}", value)
    said = shell("cbatch", script(tmp_path / "a.sh", "#SBATCH -n1"))
    assert (said.code, said.out) == (2, "") and cluster.store.jobs() == []
    assert f"{prefix}_{name}: --{name.lower().replace('_', '-')}" in said.err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("#SBATCH --part=x", "unknown option '--part'"),
        ("#SBATCH --gpus-per=2", "unknown option '--gpus-per'"),
        ("#SBATCH --cpus=2", "unknown option '--cpus'"),
        ("#CBATCH --job=x", "unknown option '--job'"),
        ("#SBATCH -output=x", "-output=x: an option of several letters has two dashes: write --output"),
        ("#SBATCH -hold", "-hold: an option of several letters has two dashes"),
        ("#SBATCH -exclusive", "write --exclusive"),
        ("#SBATCH hetjob", "heterogeneous jobs are not supported"),
        ("#CBATCH -C x", "-C names a configuration on the command line: for features write --constraint"),
        ("#SBATCH --config=x", "--config chooses the cluster: give it on the command line"),
    ],
)
def test_no_abbreviation_in_directives(shell: Shell, tmp_path: Path, line: str, text: str) -> None:
    said = shell("cbatch", script(tmp_path / "a.sh", line))
    assert said.code == 2 and "a.sh:2 #" in said.err and text in said.err


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("-B 2", "-B (--extra-node-info) of Slurm is not supported yet"),
        ("-S 2", "-S (--core-spec) of Slurm"),
        ("--mcs-label=5", "--mcs-label of Slurm is not supported yet: leave it out"),
        ("--ntasks-per-core=1", "--ntasks-per-core of Slurm"),
        ("--reservation=x", "--reservation is not supported yet: there are no reservations here"),
    ],
)
def test_what_is_slurms_and_not_there_is_refused_by_name(shell: Shell, tmp_path: Path, option: str, text: str) -> None:
    said = shell("cbatch", script(tmp_path / "a.sh", f"#SBATCH {option}"))
    assert said.code == 1 and "a.sh:2 #SBATCH: " in said.err and text in said.err


@pytest.mark.parametrize(
    "argv",
    [("--job", "x"), ("--gpus-per", "2"), ("--mem-per", "2"), ("--extra", "{}"), ("--wait-all",), ("--threads", "2")],
)
def test_an_abbreviation_that_could_be_another_option_is_none(
    shell: Shell, cluster: Cluster, argv: tuple[str, ...]
) -> None:
    said = shell("cbatch", *argv, "--wrap", "true")
    assert said.code in (1, 2) and cluster.store.jobs() == []


def test_abbreviations_within_the_last_word(shell: Shell, cluster: Cluster) -> None:
    assert shell("cbatch", "--part", "small", "--job-n", "x", "--wrap", "true").code == 0
    assert (spec(cluster).partition, spec(cluster).name) == ("small", "x")


def test_what_follows_the_script_is_its_own(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    name = script(tmp_path / "a.sh")
    for at, words in enumerate((["--no"], ["--", "x"], ["-v"], ["--version"], ["-output=3"], ["--ntasks-per=3"]), 1):
        assert shell("cbatch", name, *words).out == f"Job id allocated: {at}.\n"
        assert spec(cluster, at).command == " ".join([name, *words])


@pytest.mark.parametrize("size", ["2GB", "2gb", "2048MB", "2048", "2G"])
def test_sizes_as_slurm_takes_them(
    shell: Shell, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    assert shell("cbatch", script(tmp_path / "a.sh", f"#SBATCH --mem={size}")).code == 0
    monkeypatch.setenv("SBATCH_MEM_PER_NODE", size)
    assert shell("cbatch", script(tmp_path / "b.sh", "#SBATCH -n1")).code == 0
    assert [spec(cluster, id).memory for id in (1, 2)] == [2 << 30, 2 << 30]


def test_the_variables_that_are_told_of_give_options() -> None:
    known = variables()
    assert {"CBATCH_TIME", "CBATCH_WAIT", "CBATCH_GPUS"} <= set(known)
    assert not {"CBATCH_HELP", "CBATCH_VERSION", "CBATCH_WRAP", "CBATCH_CONFIG", "CBATCH_RESERVATION"} & set(known)


def test_hints_for_variables_are_those_for_options(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CBATCH_WALLTIME", "CBATCH_CORES", "CBATCH_VERSON"):
        monkeypatch.setenv(name, "1")
    said = shell("cbatch", "--wrap", "true")
    assert said.err.splitlines() == [
        "cbatch: CBATCH_CORES is in the environment and names no option",
        "cbatch: CBATCH_VERSON is in the environment and names no option",
        "cbatch: CBATCH_WALLTIME is in the environment and names no option; did you mean CBATCH_TIME?",
    ]


def test_letters_of_files_as_slurm_has_them(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    assert shell("cbatch", script(tmp_path / "a.sh", "#SBATCH -o %x-%J.%%J -e %5J", "#CBATCH -i %J")).code == 0
    found = spec(cluster)
    assert (found.stdout, found.stderr, found.stdin) == ("%x-%j.%%J", "%5j", "%J")


def test_letters_of_slurms_directives(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    said = shell("cbatch", script(tmp_path / "a.sh", "#SBATCH -C nothing"))
    assert said.code == 4 and "--constraint nothing" in said.err
    assert shell("cbatch", script(tmp_path / "a.sh", "#SBATCH -n4 --tasks-per-node 2 -Hc 2")).code == 0
    assert (spec(cluster).ntasks_per_node, spec(cluster).cpus_per_task, spec(cluster).nodes) == (2, 2.0, 2)


def test_variables_of_slurm_count_for_its_scripts(
    shell: Shell, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("TIMELIMIT", "7"),
        ("ARRAY_INX", "1-3"),
        ("JOB_NAME", "x"),
        ("ACCOUNT", "a-b"),
        ("DEBUG", "1"),
    ):
        monkeypatch.setenv(f"SBATCH_{name}", value)
    monkeypatch.setenv("CBATCH_JOB_NAME", "ours")
    said = shell("cbatch", script(tmp_path / "a.sh", "#SBATCH -t 3 -J mine"))
    assert said.code == 0 and "SBATCH_" not in said.err
    found = spec(cluster)
    assert (found.time_limit, found.array, found.name, found.account) == (420, "1-3", "ours", "a-b")
    assert shell("cbatch", "--wrap", "true").code == 0
    assert (spec(cluster, 4).time_limit, spec(cluster, 4).dialect) == (None, "")
    monkeypatch.setenv("SBATCH_ODD", "1")
    assert "SBATCH_ODD is in the environment and names no option" in shell("cbatch", "a.sh").err
    monkeypatch.setenv("SBATCH_PROFILE", "1")
    assert "SBATCH_PROFILE: --profile of Slurm is not supported yet" in shell("cbatch", "a.sh").err


@pytest.mark.parametrize(
    ("lines", "dialect"),
    [
        (("#SBATCH -n1",), "slurm"),
        (("#BSUB -n 1",), "lsf"),
        (("#BSUB -n 1", "#SBATCH -n1"), "lsf,slurm"),
        (("#CBATCH -n1", "# SBATCH -n 1"), ""),
        (("cat <<E", "#SBATCH -n1", "E"), ""),
    ],
)
def test_the_dialect_is_that_of_the_directives(
    shell: Shell, cluster: Cluster, tmp_path: Path, lines: tuple[str, ...], dialect: str
) -> None:
    assert shell("cbatch", script(tmp_path / "a.sh", *lines)).code == 0
    assert spec(cluster).dialect == dialect


def test_the_dialect_of_the_command(shell: Shell, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/sbatch"])
    assert shell("cbatch", "-c", "2", "--wrap", "true").code == 0
    assert (spec(cluster).dialect, spec(cluster).asked) == ("slurm", {"cpus_per_task": "2"})


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("-o", "~/x-%j", "/home/ada/x-%j"),
        ("-e", "~/x", "/home/ada/x"),
        ("-o", "$HOME/x", "/home/ada/x"),
        ("-i", "${HOME}/x", "/home/ada/x"),
        ("-o", "$SCRATCH/%x", "/scr/50%%/%x"),
        ("-o", "a~b$", "a~b$"),
        ("-o", "\\~/$HOME", "\\~/$HOME"),
    ],
)
@pytest.mark.parametrize("directive", [True, False])
def test_home_and_variables_in_paths(
    shell: Shell,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    value: str,
    expected: str,
    directive: bool,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("SCRATCH", "/scr/50%")
    line = f"#SBATCH {option} '{value}'" if directive else "# none"
    said = shell("cbatch", *(() if directive else (option, value)), script(tmp_path / "a.sh", line))
    assert said.code == 0, said.err
    assert getattr(spec(cluster), {"-o": "stdout", "-e": "stderr", "-i": "stdin"}[option]) == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("-o $NOT_SET/x", "a.sh:2 #SBATCH: --output: '$NOT_SET/x': $NOT_SET is not set here"),
        ("-o out.$SLURM_ARRAY_TASK_ID", "$SLURM_ARRAY_TASK_ID is known only when the job runs: write %a for it"),
        ("-e ${SLURM_JOB_ID}.err", "write %j for it"),
        ("-o ~nobody_there/x", "there is no user 'nobody_there'"),
        ("-D ~nobody_there", "--chdir: '~nobody_there': there is no user"),
        ("-o logs/", "it is a directory; add the name of a file"),
    ],
)
def test_paths_that_cannot_be_expanded(
    shell: Shell, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, text: str
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    said = shell("cbatch", script(tmp_path / "a.sh", f"#SBATCH {line}"))
    assert said.code == 2 and text in said.err and cluster.store.jobs() == []


def test_a_byte_order_mark_and_latin_1(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    import json

    (tmp_path / "a.sh").write_bytes(b"\xef\xbb\xbf#!/bin/bash\n#SBATCH -J x\necho \xe9\n")
    assert shell("cbatch", "a.sh").code == 0
    body = cluster.store.body(1)
    assert body is not None and spec(cluster).name == "x"
    text = json.loads(body)["script"]
    assert text.encode("utf-8", "surrogateescape") == b"#!/bin/bash\n#SBATCH -J x\necho \xe9\n"


def test_notices_are_told_and_nothing_else_is_printed(shell: Shell, tmp_path: Path) -> None:
    said = shell(
        "cbatch", "--parsable", script(tmp_path / "a.sh", "#PBS -l x", "true", "#CBATCH -J late", "#SBATCH -n9")
    )
    assert said.out == "1\n"
    assert said.err.splitlines() == [
        "cbatch: a.sh: line 5: #SBATCH after the first command (line 3) is not read, as in Slurm: move it up",
        "cbatch: a.sh: line 4: #CBATCH after the first command (line 3) is read all the same: better move it up",
    ]
    assert "#PBS lines are not read here" in shell("cbatch", script(tmp_path / "b.sh", "#PBS -l x")).err


def test_the_last_of_an_option_wins(shell: Shell, cluster: Cluster, tmp_path: Path) -> None:
    lines = ("#SBATCH -J a -J b", "#SBATCH --job-name=c -a 1-2", "#SBATCH\t--array 1-3 # why", '#SBATCH -J "a b"')
    assert shell("cbatch", script(tmp_path / "a.sh", *lines)).code == 0
    assert (spec(cluster).name, spec(cluster).array) == ("a b", "1-3")
