"""Dependencies between real jobs (documents/job-dependency.txt), and how they are displayed."""

import os
import re

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def ended(crane: Cluster, script: str = "true", *args: str) -> int:
    """A job that has ended."""
    job = crane.submit(*args, "--wrap", script)
    crane.wait(job)
    return job


def display(crane: Cluster, job: int) -> str:
    """Return what ``ccontrol show job`` says after ``Dependency=``."""
    found = re.search(r"Dependency=(.*)", crane.run("ccontrol", "show", "job", str(job)).stdout)
    return found[1] if found else ""


def reason(crane: Cluster, job: int) -> str:
    """Why a job waits."""
    return crane.run("cqueue", "-N", "-j", str(job), "-o", "%L").stdout.strip()


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        *[(f"{kind}:OK", kind != "afternotok") for kind in ("after", "afterok", "afternotok", "afterany")],
        *[(f"{kind}:BAD", kind != "afterok") for kind in ("after", "afterok", "afternotok", "afterany")],
        *[(f"{kind}:GONE", kind != "afterok") for kind in ("after", "afterok", "afternotok", "afterany")],
        ("afterok:OK+1s", True),
        ("afterok:OK,afternotok:BAD", True),
        ("afterok:OK:BAD", False),
        ("afterok:BAD?afterok:OK", True),
        ("afterok:BAD?afternotok:OK", False),
        ("afterok:OK:BAD?afterany:GONE", True),
        ("afterok:MIXED", False),
        ("afternotok:MIXED", True),
        ("afterany:MIXED", True),
        ("afterok:MIXED_0", True),
        ("afternotok:MIXED_1", True),
        ("afterok:MIXED_[0,2]", True),
    ],
)
def test_what_ended_already(crane: Cluster, expression: str, runs: bool) -> None:
    ids = dependees(crane)
    text = re.sub("[A-Z]+", lambda match: str(ids[match[0]]), expression)
    job = crane.submit("-d", text, "--wrap", "true")
    if runs:
        assert crane.wait(job) == {job: 0}
    else:
        assert reason(crane, job) == "DependencyNeverSatisfied"
        crane.run("ccancel", str(job))


_KNOWN: dict[Cluster, dict[str, int]] = {}


def dependees(crane: Cluster) -> dict[str, int]:
    """Made once: a job that succeeded, one that failed, one cancelled while it waited, an array of both kinds."""
    if crane not in _KNOWN:
        gone = crane.submit("--hold", "--wrap", "true")
        crane.run("ccancel", str(gone))
        _KNOWN[crane] = {
            "OK": ended(crane),
            "BAD": ended(crane, "exit 3"),
            "GONE": gone,
            "MIXED": ended(crane, "exit $((CRANE_ARRAY_TASK_ID % 2))", "--array=0-2"),
        }
    return _KNOWN[crane]


def test_order_of_what_is_still_to_come(crane: Cluster) -> None:
    first = crane.submit("--hold", "-o", "order", "--open-mode=append", "--wrap", "echo first")
    array = crane.submit(
        *("-d", f"afterok:{first}", "--array=0-3", "-o", "order", "--open-mode=append", "--wrap", "echo element")
    )
    last = crane.submit("-d", f"afterok:{array}", "-o", "order", "--open-mode=append", "--wrap", "echo last")
    never = crane.submit("-d", f"afternotok:{array}", "--wrap", "touch never")
    assert reason(crane, last) == "Dependency"
    crane.run("ccontrol", "release", str(first))
    assert crane.wait(last) == {last: 0}
    assert (crane.work / "order").read_text().split() == ["first", *["element"] * 4, "last"]
    assert reason(crane, never) == "DependencyNeverSatisfied"
    crane.run("ccancel", str(never))
    assert not (crane.work / "never").exists()


def test_display(crane: Cluster) -> None:
    ids = dependees(crane)
    waits, other = (crane.submit("--hold", "--wrap", "true") for _ in "12")

    def shown(expression: str) -> str:
        job = crane.submit("-d", expression, "--wrap", "true")
        said = display(crane, job)
        crane.run("ccancel", str(job))
        return said

    both = f"afterok:{waits}+01:00:00,afterany:{other}"
    assert shown(f"afterok:{waits}+1h,afterany:{other}").startswith(f"PendingDependencies={both} Status=WaitForAll")
    either = f"afterok:{waits}?afterany:{other}"
    assert shown(either).startswith(f"PendingDependencies={either} Status=WaitForAny")
    pattern = r"PendingDependencies=\(null\) Status=ReadyAfter \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.match(pattern, shown(f"afterok:{ids['OK']}+1h"))
    assert "Status=SomeFailed" in shown(f"afterok:{ids['OK']}:{ids['BAD']}")
    assert "Status=AllFailed" in shown(f"afterok:{ids['BAD']}?afternotok:{ids['OK']}")
    crane.run("ccancel", str(waits), str(other))


def test_a_delay_counts_from_what_it_waits_for(crane: Cluster) -> None:
    first = crane.submit("-o", "t1", "--wrap", "date +%s.%N")
    later = crane.submit("-d", f"after:{first}+2s", "-o", "t2", "--wrap", "date +%s.%N")
    assert crane.wait(later) == {later: 0}
    assert float((crane.work / "t2").read_text()) - float((crane.work / "t1").read_text()) > 1.8


def test_one_of_a_name_at_a_time(crane: Cluster) -> None:
    """A singleton waits for the caller's earlier jobs of its name, and for no others."""
    os.mkfifo(go := crane.work / "only")
    first = crane.submit("-J", "only", "--wrap", "read line < only")
    second = crane.submit("-J", "only", "-d", "singleton", "--wrap", "true")
    other = crane.submit("-J", "another", "-d", "singleton", "--wrap", "true")
    assert crane.wait(other) == {other: 0}
    assert reason(crane, second) == "Dependency"
    go.write_text("go\n")
    assert crane.wait(first, second) == {first: 0, second: 0}


def test_elements_wait_for_their_like(crane: Cluster) -> None:
    """Each element of an array starts when its like in another array has completed, and no other."""
    array = ended(crane, 'test "$CRANE_ARRAY_TASK_ID" != 1', "-a", "0-2")
    after = crane.submit("-a", "0-2", "-d", f"aftercorr:{array}", "--wrap", "true")
    crane.run("cwait", f"{after}_0", f"{after}_2")
    assert reason(crane, after) == "DependencyNeverSatisfied"
    crane.run("ccancel", str(after))


def test_only_what_may_be_tried_again(crane: Cluster) -> None:
    """A failure of its own is none of the node's."""
    job = crane.submit("-d", f"afterexcept:{ended(crane, 'exit 3')}", "--wrap", "true")
    assert reason(crane, job) == "DependencyNeverSatisfied"
    crane.run("ccancel", str(job))
