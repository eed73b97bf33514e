"""Submission on a real cluster: lists of values, retries, what is wrong with scripts."""

import pytest

from tests.support.cluster import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_each_element_finds_its_value_and_failed_ones_run_again(crane: Cluster) -> None:
    (crane.work / "list").write_text("one\ntwo words\n\nfour'\n")
    script = 'echo "$CRANE_ARRAY_TASK_ID <$CRANE_ARRAY_ITEM>"; test -e fixed || test -n "$CRANE_ARRAY_ITEM"'
    job = crane.submit("--array-each-line", "list", "-a", "%2", "-o", "%A-%a", "--wrap", script)
    crane.wait(job)
    said = [(crane.work / f"{job}-{index}").read_text() for index in range(4)]
    assert said == ["0 <one>\n", "1 <two words>\n", "2 <>\n", "3 <four'>\n"]
    (crane.work / "fixed").touch()
    again = int(crane.run("cbatch", "--array-retry", str(job), "--parsable").stdout)
    assert crane.wait(again) == {again: 0}
    assert (crane.work / f"{again}-2").read_text() == "2 <>\n"
    assert crane.run("cbatch", "--array-retry", str(again), code=4).stderr.startswith("Job allocation failed: nothing")


def test_a_missing_interpreter_is_named(crane: Cluster) -> None:
    (crane.work / "odd.sh").write_text("#!/no/such/python\nprint(1)\n")
    job = crane.submit("odd.sh")
    assert set(crane.wait(job).values()) != {0}
