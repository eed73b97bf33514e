"""Every ``cbatch`` example and every error of documents/job-dependency.txt, on a real cluster.

The document's jobs 100, 101 and 102 are real ones that wait to be let go or to end as a test wants.
"""

import re

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SCRIPT = "#!/bin/bash\n{directives}\necho done\n"


class Trio:
    """The document's jobs 100, 101 and 102: held, so that nothing has happened yet."""

    def __init__(self, crane: Cluster, codes: tuple[int, ...] = (0, 0, 0)) -> None:
        """``codes``: what each exits with."""
        self.crane = crane
        self.ids = [crane.submit("--hold", "-o", "/dev/null", "--wrap", f"exit {code}") for code in codes]

    def text(self, typed: str) -> str:
        """An expression of the document with the real ids."""
        return re.sub(r"\b10([012])\b", lambda match: str(self.ids[int(match[1])]), typed)

    def dependant(self, expression: str, *args: str) -> int:
        """``cbatch --dependency EXPRESSION my_script.sh``."""
        script = SCRIPT.format(directives="")
        return self.crane.submit("--dependency", self.text(expression), "-o", "/dev/null", *args, stdin=script)

    def release(self, *which: int) -> None:
        """Let some of them go, and wait for their ends."""
        chosen = [self.ids[each - 100] for each in which]
        self.crane.run("ccontrol", "release", ",".join(map(str, chosen)))
        self.crane.wait(*chosen)

    def drop(self, *more: int) -> None:
        """Cancel what is left."""
        self.crane.run("ccancel", ",".join(map(str, [*self.ids, *more])), code=None)


def status(crane: Cluster, job: object) -> str:
    """``Dependency=...`` of a job."""
    found = re.search(r"Dependency=(.*)", crane.run("ccontrol", "show", "job", str(job)).stdout)
    assert found
    return found[1]


def reason(crane: Cluster, job: int) -> str:
    """Why a job waits."""
    return crane.run("cqueue", "-N", "-j", str(job), "-o", "%L").stdout.strip()


@pytest.mark.parametrize(
    ("expression", "codes", "ends"),
    [
        ("after:100", (1, 0, 0), (100,)),
        ("afterok:100", (0, 0, 0), (100,)),
        ("afternotok:100", (1, 0, 0), (100,)),
        ("afterany:100", (1, 0, 0), (100,)),
        ("after:100,afterok:101:102", (1, 0, 0), (100, 101, 102)),
        ("afterok:100?afternotok:101", (1, 1, 0), (100, 101)),
        ("afterok:100:101+2h?after:102", (0, 0, 0), (100, 101, 102)),
        ("after:100,afterok:101", (1, 0, 0), (100, 101)),
        ("afterok:100?afterok:101", (1, 0, 0), (100, 101)),
    ],
)
def test_examples_that_start(crane: Cluster, expression: str, codes: tuple[int, ...], ends: tuple[int, ...]) -> None:
    """Nothing but the last of ``ends`` lets the dependant go."""
    trio = Trio(crane, codes)
    job = trio.dependant(expression)
    for each in ends:
        assert reason(crane, job) == "Dependency"
        trio.release(each)
    assert crane.wait(job) == {job: 0}
    trio.drop()


@pytest.mark.parametrize(
    ("expression", "seconds", "ends"),
    [
        ("afterok:100+30", 30 * 60, (100,)),
        ("afterok:100+90m", 90 * 60, (100,)),
        ("after:100+10m,afterok:101+30m", 30 * 60, (100, 101)),
        ("afterok:100:101+2h?afterok:102", 2 * 3600, (100, 101)),
    ],
)
def test_examples_with_a_delay(crane: Cluster, expression: str, seconds: int, ends: tuple[int, ...]) -> None:
    trio = Trio(crane)
    job = trio.dependant(expression)
    for each in ends:
        assert "Status=WaitFor" in status(crane, job)
        trio.release(each)
    shown = re.search(r"Status=ReadyAfter (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", status(crane, job))
    assert shown
    # date(1) reads it in the caller's zone, as the command wrote it
    read = crane.submit("-o", "clock", "--wrap", f"expr $(date -d '{shown[1]}' +%s) - $(date +%s)")
    assert crane.wait(read) == {read: 0}
    assert seconds - 60 < int((crane.work / "clock").read_text()) <= seconds
    trio.drop(job)


def test_ten_seconds(crane: Cluster) -> None:
    """``afterok:100+10s``, with fewer of them; the stamps are the jobs' own."""
    first = crane.submit("-o", "a", "--wrap", "date +%s.%N")
    later = crane.submit("--dependency", f"afterok:{first}+2s", "-o", "b", "--wrap", "date +%s.%N")
    assert crane.wait(later) == {later: 0}
    assert float((crane.work / "b").read_text()) - float((crane.work / "a").read_text()) > 1.9


def test_in_a_batch_script(crane: Cluster) -> None:
    trio = Trio(crane)
    lines = ("--dependency afterok:100", "--nodes 2", "--time 1:00:00", "--output job-%j.out")
    text = trio.text("\n".join(f"#CBATCH {line}" for line in lines))
    job = crane.submit(stdin=SCRIPT.format(directives=text))
    assert reason(crane, job) == "Dependency"
    trio.release(100)
    assert crane.wait(job) == {job: 0}
    assert (crane.work / f"job-{job}.out").read_text() == "done\n"
    trio.drop()


def test_what_is_shown(crane: Cluster) -> None:
    trio = Trio(crane, (0, 1, 0))
    all_, any_ = trio.dependant("afterok:100+1h,afterok:101"), trio.dependant("afterok:100+1h?afterok:101")
    pending = trio.text("PendingDependencies=afterok:100+01:00:00")
    assert status(crane, all_).startswith(f"{pending},{trio.text('afterok:101')} Status=WaitForAll ")
    assert status(crane, any_).startswith(f"{pending}?{trio.text('afterok:101')} Status=WaitForAny ")
    trio.release(101)
    assert status(crane, all_).startswith(f"{pending} Status=SomeFailed Detail=")
    assert status(crane, any_).startswith(f"{pending} Status=WaitForAny Detail=")
    trio.release(100)
    assert re.match(r"PendingDependencies=\(null\) Status=ReadyAfter \d{4}-", status(crane, any_))
    none = trio.dependant("afternotok:100?afterok:101")
    assert status(crane, none).startswith("PendingDependencies=(null) Status=AllFailed Detail=")
    trio.drop(all_, any_, none)


@pytest.mark.parametrize(
    ("expression", "code", "said"),
    [
        ("afterok:100,afterok:101?afterok:102", 2, "cannot be mixed"),
        ("afterok:", 2, "names no job"),
        ("after100", 2, "after:100"),
        ("afterok:100+invalid", 2, "invalid"),
        ("afterok:100:100", 2, "duplicate job 100"),
        ("afterok:100,afternotok:100", 2, "duplicate job 100"),
        ("after:1+00:00:01", 2, r"write \+1s"),
        ("after:1+00:00:02", 2, r"write \+2s"),
        ("after:1+1-01:30:00", 2, r"write \+"),
        ("afterok:99999999", None, "99999999, which does not exist"),
    ],
)
def test_errors(crane: Cluster, expression: str, code: int | None, said: str) -> None:
    """Refused with what is wrong; no job is left of it, whether typed or a directive of a script."""
    before = crane.run("cqueue", "-N").stdout
    typed = crane.run("cbatch", "--dependency", expression, "--wrap", "true", code=code)
    script = SCRIPT.format(directives=f"#CBATCH --dependency {expression}")
    written = crane.run("cbatch", stdin=script, code=code)
    for done in (typed, written):
        assert done.returncode and not done.stdout and re.search(said, done.stderr), done.stderr
    assert crane.run("cqueue", "-N").stdout == before


def test_the_right_way_to_write_a_short_delay(crane: Cluster) -> None:
    first = crane.submit("-o", "/dev/null", "--wrap", "true")
    for text in ("1s", "2s"):
        job = crane.submit("--dependency", f"after:{first}+{text}", "-o", "/dev/null", "--wrap", "true")
        assert crane.wait(job) == {job: 0}
