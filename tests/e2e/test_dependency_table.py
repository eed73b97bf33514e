"""Test what each type of dependency makes of each thing that can happen to the job it names (design.md section 11).

One table on one cluster: all dependees are submitted held, all dependants on them, then everything happens at once.
"""

import pytest

from tests.e2e.test_dependency_document import reason
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: what happens -> how the dependee is submitted
EVENTS = {
    "begins": ("until test -e table.go; do sleep 0.05; done",),
    "ends with 0": ("true",),
    "ends with 3": ("exit 3",),
    "runs into its time limit": ("sleep 600", "--time", "0:01"),
    "is cancelled while it runs": ("touch table.up; sleep 600",),
    "is cancelled while it waits": ("true",),
    "passes its deadline while it waits": ("true",),
}
KINDS = ("after", "afterany", "afterok", "afternotok", "afterexcept")
#: + starts, - never, . waits on; in the order of KINDS
TABLE = {
    "begins": "+....",
    "ends with 0": "+++--",
    "ends with 3": "++-+-",
    "runs into its time limit": "++-++",
    "is cancelled while it runs": "++-+-",
    "is cancelled while it waits": "++-+-",
    "passes its deadline while it waits": "++-+-",
}


def test_every_type_and_every_event(crane: Cluster) -> None:
    ids = {
        event: crane.submit("--hold", "-o", "/dev/null", *more, "--wrap", script)
        for event, (script, *more) in EVENTS.items()
    }
    waiting = {
        (event, kind): crane.submit("-d", f"{kind}:{ids[event]}", "-o", "/dev/null", "--mem", "16M", "--wrap", "true")
        for event in EVENTS
        for kind in KINDS
    }
    assert {reason(crane, job) for job in waiting.values()} == {"Dependency"}
    happen(crane, ids)
    for event, row in TABLE.items():
        told = "".join(outcome(crane, waiting[event, kind], sign) for kind, sign in zip(KINDS, row, strict=True))
        assert told == row, event
    (crane.work / "table.go").touch()
    crane.run("ccancel", ",".join(map(str, waiting.values())), code=None)


def happen(crane: Cluster, ids: dict[str, int]) -> None:
    """Let everything happen; the job that only begins runs on."""
    crane.run("ccontrol", "update", f"jobid={ids['passes its deadline while it waits']}", "deadline=now+1")
    held = {event: job for event, job in ids.items() if "while it waits" not in event}
    crane.run("ccancel", str(ids["is cancelled while it waits"]))
    stopped = held["is cancelled while it runs"]
    begun = crane.submit("-d", f"after:{stopped}", "-o", "/dev/null", "--wrap", "true")
    crane.run("ccontrol", "release", ",".join(map(str, held.values())))
    crane.wait(begun)
    crane.run("ccancel", str(stopped))
    crane.wait(*(job for event, job in ids.items() if event != "begins"))


def outcome(crane: Cluster, job: int, sign: str) -> str:
    """Return what became of a dependant, as a sign; one that should start is waited for."""
    if sign == "+":
        return "+" if crane.wait(job) == {job: 0} else "?"
    return {"DependencyNeverSatisfied": "-", "Dependency": "."}.get(reason(crane, job), "?")
