"""Every example of documents/job-arrays.txt on a real cluster, under our names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_control import until, wait_for_lines
from tests.e2e.test_seeing import wait_for, watching
from tests.support.cluster import Cluster, cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: a script that says which it is, in the document's words and in ours
WHO = 'env | grep -E "^(SLURM|CRANE)_(JOB_?ID|ARRAY_.*)=" | sort\n'


@pytest.fixture(scope="module")
def twins() -> Iterator[Cluster]:
    """A cluster whose jobs get the variables of both names, and where the last element judges an array."""
    with cluster() as made:
        config = made.home / "config.yaml"
        made.run("crane", "down")
        config.write_text(config.read_text() + "EnableSlurmCompatibleEnv: true\nArrayDependency: last\n")
        made.up()
        yield made


def listed(crane: Cluster, ids: object, form: str = "%i", *args: str) -> list[str]:
    """The lines of cqueue for these ids."""
    return crane.run("cqueue", "-N", "-j", str(ids), "-o", form, *args).stdout.split()


def field(crane: Cluster, job: object, name: str) -> list[str]:
    """Return what ``ccontrol show job`` says of this field, of each record shown."""
    return re.findall(rf"\b{name}=(\S+)", crane.run("ccontrol", "show", "job", str(job)).stdout)


@pytest.mark.parametrize(("array", "folded"), [("0-31", "0-31"), ("1,3,5,7", "1,3,5,7"), ("1-7:2", "1,3,5,7")])
@pytest.mark.parametrize("option", ["--array={}", "-a{}", "#CBATCH --array={}"])
def test_submissions(crane: Cluster, array: str, folded: str, option: str) -> None:
    given = option.format(array)
    where = [] if given.startswith("#") else [given]
    script = f"#!/bin/sh\n{'' if where else given}\ntrue\n"
    job = crane.submit("--hold", "-N1", *where, stdin=script)
    assert listed(crane, job) == [f"{job}_[{folded}]"]
    crane.run("ccancel", str(job))


def test_ids_and_variables(twins: Cluster) -> None:
    job = twins.submit("--array=1-3", "-N1", stdin="#!/bin/sh\n" + WHO)
    twins.wait(job)
    for index in (1, 2, 3):
        told = dict(line.split("=") for line in (twins.work / f"Crane-{job}_{index}.out").read_text().split())
        own, array = str(job + index - 1), str(job)
        fixed = {"JOB_ID": array, "TASK_ID": str(index), "TASK_COUNT": "3", "TASK_MIN": "1", "TASK_MAX": "3"}
        wanted = {f"ARRAY_{name}": value for name, value in fixed.items()} | {"ARRAY_TASK_STEP": "1", "JOB_ID": own}
        assert {f"{brand}_{name}" for brand in ("SLURM", "CRANE") for name in wanted} | {"SLURM_JOBID"} == set(told)
        assert told["SLURM_JOBID"] == own
        assert all(told[f"{brand}_{name}"] == wanted[name] for brand in ("SLURM", "CRANE") for name in wanted)


def test_an_element_and_its_plain_id_are_the_same_everywhere(crane: Cluster) -> None:
    go = crane.work / "same"
    job = crane.submit("--array=1-3", "-c", "0.5", "-t", "1:00:00", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 3)
    with watching(crane, "-j", str(job)) as lines:
        wait_for(lines, *(f"{job}_{index}=Running" for index in (1, 2, 3)))
    element, plain = f"{job}_2", str(job + 1)
    lists = (["cqueue", "-o", "%i %t", "-j"], ["cqueue", "-o", "%i", "-s"], ["cacct", "-N", "-o", "%j %t %L", "-j"])
    for command in (*lists, ["ccontrol", "show", "dependents"]):
        by_index, by_id = (crane.run(*command, name).stdout for name in (element, plain))
        assert by_index.replace(element, "?") == by_id.replace(element, "?").replace(f"JobId={plain}", "JobId=?")
    assert listed(crane, plain) == listed(crane, element) == [element]
    for shown in ("job", "step"):
        one, other = (crane.run("ccontrol", "show", shown, name).stdout for name in (element, plain))
        assert re.sub("RunTime=.*", "", one) == re.sub("RunTime=.*", "", other)
    assert listed(crane, f"{plain},{element}") == [element]
    for number, name in enumerate((element, plain), 2):
        crane.run("ccontrol", "update", f"jobid={name}", f"timelimit={number}:00:00")
        assert field(crane, plain, "TimeLimit") == field(crane, element, "TimeLimit") == [f"0{number}:00:00"]
        crane.run("ccontrol", "suspend", name)
        crane.run("ccontrol", "resume", name)
    waiters = [crane.submit("-d", f"afternotok:{name}", "--wrap", "true") for name in (element, plain)]
    crane.run("ccancel", plain)
    assert crane.wait(*waiters) == dict.fromkeys(waiters, 0)
    assert crane.run("ccancel", element, code=4).stderr.endswith("Reason: Job has already ended (Cancelled).\n")
    go.touch()
    assert set(crane.wait(job, job + 1, job + 2).values()) == {0, 320}


def test_file_names(crane: Cluster) -> None:
    job = crane.submit("-o", "out-%A_%a.out", "--array=1-3", "-N1", "--wrap", "true")
    single = crane.submit("-o", "out-%A_%a.out", "--wrap", "true")
    usual = crane.submit("--array=1-3", "--wrap", "true")
    crane.wait(job, single, usual)
    names = {path.name for path in crane.work.glob("*.out")}
    assert names >= {f"out-{job}_{index}.out" for index in (1, 2, 3)} | {f"out-{single}_4294967294.out"}
    assert {f"Crane-{usual}_{index}.out" for index in (1, 2, 3)} <= names


def test_cancelling(crane: Cluster) -> None:
    job = crane.submit("--hold", "--array=1-9", "--wrap", "true")
    for ids, left in (([f"{job}_[1-3]"], "[4-9]"), ([f"{job}_4", f"{job}_5"], "[6-9]"), ([f"{job}_[6-9:2]"], "[7,9]")):
        crane.run("ccancel", *ids)
        assert listed(crane, job) == [f"{job}_{left}"]
    crane.run("ccancel", str(job))
    assert listed(crane, job) == []
    assert listed(crane, job, "%i=%t", "-t", "all") == [f"{job}_{index}=Cancelled" for index in range(1, 10)]


def test_an_element_cancels_itself(crane: Cluster) -> None:
    """The document's script, in a job and in an element: nothing but the caller ends."""
    script = (
        '#!/bin/bash\nif [[ -z "$CRANE_ARRAY_JOB_ID" ]]; then ccancel $CRANE_JOB_ID; fi\n'
        "if [[ $CRANE_ARRAY_TASK_ID = 1 ]]; then ccancel ${CRANE_ARRAY_JOB_ID}_${CRANE_ARRAY_TASK_ID}; fi\n"
        "if [[ ${CRANE_ARRAY_TASK_ID:-1} = 1 ]]; then sleep 600; fi\n"
    )
    array, single = crane.submit("--array=1-3", stdin=script), crane.submit(stdin=script)
    crane.wait(array, single)
    assert sorted(listed(crane, f"{array},{single}", "%i=%t", "-t", "all")) == sorted(
        [f"{array}_1=Cancelled", f"{array}_2=Completed", f"{array}_3=Completed", f"{single}=Cancelled"]
    )


def test_listing(crane: Cluster) -> None:
    go = crane.work / "listing"
    job = crane.submit("--array=1-1024%4", "-c", "0.5", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 4)
    with watching(crane, "-j", str(job)) as lines:
        wait_for(lines, f"{job}_[5-1024%4]=Pending", *(f"{job}_{index}=Running" for index in range(1, 5)))
    ids = [f"{job}_{index}" for index in range(1, 1025)]
    assert sorted(listed(crane, job, "%i", "-r", "-m", "2000")) == sorted(ids)
    said = crane.run("cqueue", "-N", "-j", str(job), "-o", "%i", "-m", "2000", env={"CQUEUE_ARRAY": "1"}).stdout.split()
    assert sorted(said) == sorted(ids)
    assert listed(crane, f"{job}_2,{job}_3") == [f"{job}_2", f"{job}_3"]
    assert listed(crane, f"{job}_2,{job}_[5-9]") == [f"{job}_[5-9%4]", f"{job}_2"]
    assert listed(crane, f"{job}_2,{job}_[1020-2000]") == [f"{job}_[1020-1024%4]", f"{job}_2"]
    assert listed(crane, f"{job}_2,{job}_7", "%F.%K") == [f"{job}.7", f"{job}.2"]
    assert listed(crane, job, "%F.%K")[0] == f"{job}.5-1024"
    for ids_ in (["-s", f"{job}_2.1,{job}_3.1"], ["--step", "-s", f"{job}_2.1,{job}_3.1"]):
        steps = crane.run("cqueue", "-N", *ids_, "-o", "%i").stdout.split()
        assert sorted(steps) == [f"{job}_2.1", f"{job}_3.1"]
    assert crane.run("cqueue", "-N", "-s", f"{job}_2.0", "-o", "%i").stdout.split() == [f"{job}_2.0"]
    crane.run("ccancel", f"{job}_[5-1024]")
    go.touch()
    crane.wait(job)


def test_full_records(crane: Cluster) -> None:
    go = crane.work / "records"
    job = crane.submit("--array=1-3", "-c", "0.5", "--wrap", until(go))
    single = crane.submit("-c", "0.5", "--wrap", until(go))
    wait_for_lines(Path(f"{go}.runs"), 4)
    assert field(crane, job, "JobId") == [str(job), str(job + 1), str(job + 2)]
    assert field(crane, job, "ArrayJobId") == [str(job)] * 3 and field(crane, job, "ArrayTaskId") == ["1", "2", "3"]
    assert field(crane, f"{job}_2", "JobId") == [str(job + 1)] and field(crane, f"{job}_2", "ArrayTaskId") == ["2"]
    assert field(crane, single, "ArrayJobId") == field(crane, single, "ArrayTaskId") == []
    steps = crane.run("ccontrol", "show", "step", f"{job}_2").stdout
    assert f"StepId={job}_2.1" in steps and f"{job}_3" not in steps
    crane.run("ccontrol", "update", f"JobId={job + 2}", "TimeLimit=30")
    crane.run("ccontrol", "update", f"jobid={job}_1", "TimeLimit=20")
    assert field(crane, job, "TimeLimit") == ["00:20:00", "unlimited", "00:30:00"]
    go.touch()
    crane.wait(job, single)


@pytest.mark.parametrize("hold", ["hold", "holdu"])
def test_holding(crane: Cluster, hold: str) -> None:
    job = crane.submit("--begin=now+1hour", "--array=1-3", "--wrap", "true")
    crane.run("ccontrol", hold, str(job))
    assert listed(crane, job, "%i=%R") == [f"{job}_[1-3]=Held"]
    crane.run("ccontrol", "release", f"{job}_2")
    assert sorted(listed(crane, job, "%i=%R")) == [f"{job}_2=BeginTime", f"{job}_[1,3]=Held"]
    crane.run("ccontrol", "release", str(job))
    assert listed(crane, job, "%i=%R") == [f"{job}_[1-3]=BeginTime"]
    crane.run("ccancel", str(job))


def test_dependencies_on_elements_and_on_arrays(crane: Cluster) -> None:
    """``after`` of an array waits until each has started; what names elements waits for no others."""
    go = crane.work / "depend"
    script = f"[ $CRANE_ARRAY_TASK_ID = 8 ] && exit 0; {until(go)}"
    array = crane.submit("--hold", "--array=1-8", "-c", "0.25", "--wrap", script)
    after, whole = (crane.submit(f"--depend=after:{array}{part}", "--wrap", "true") for part in ("_4", ""))
    good = crane.submit(f"--depend=afterok:{array}_4:{array}_8", "--wrap", "true")
    assert set(listed(crane, f"{after},{whole},{good}", "%R")) == {"Dependency"}
    crane.run("ccontrol", "release", f"{array}_[4,8]")
    assert crane.wait(after, array + 7) == {after: 0, array + 7: 0}
    assert listed(crane, f"{whole},{good}", "%i=%t=%R") == [f"{job}=Pending=Dependency" for job in (whole, good)]
    crane.run("ccontrol", "release", str(array))
    assert crane.wait(whole) == {whole: 0}
    assert listed(crane, good, "%R") == ["Dependency"]
    go.touch()
    assert crane.wait(good) == {good: 0}


@pytest.mark.parametrize(("last", "runs"), [(1, "afternotok"), (2, "afterok")])
def test_the_last_element_judges_where_the_site_says_so(twins: Cluster, last: int, runs: str) -> None:
    """``ArrayDependency: last``: element 1 fails, 2 does not; the one that ends last decides."""
    go = twins.work / f"last.{last}"
    script = f"[ $CRANE_ARRAY_TASK_ID = {last} ] && {{ {until(go)}; }}; exit $((2 - CRANE_ARRAY_TASK_ID))"
    first = twins.submit("--hold", "--array=1-2", "--wrap", script)
    waits = {kind: twins.submit("-d", f"{kind}:{first}", "--wrap", "true") for kind in ("afterok", "afternotok")}
    other = 3 - last
    told = twins.submit("-d", f"afterany:{first}_{other}", "--wrap", "true")
    twins.run("ccontrol", "release", str(first))
    twins.wait(told)
    assert set(listed(twins, ",".join(map(str, waits.values())), "%R")) == {"Dependency"}
    go.touch()
    satisfied = waits.pop(runs)
    assert twins.wait(satisfied) == {satisfied: 0}
    (never,) = waits.values()
    assert listed(twins, never, "%R") == ["DependencyNeverSatisfied"]
    twins.run("ccancel", str(never))
