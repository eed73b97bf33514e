"""Several hosts, each with its own address: work crosses them, and a cut network loses nothing and doubles nothing.

Covers faults 10 and 11 of reference/peers.md section 8: short cuts, half-open connections in either direction, cuts
longer than NodeTimeout, a scheduler and a login host that lose the server.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from crane_celery.model.states import NODE_DOWN
from crane_celery.store.keys import Keys
from tests.netns.probe import Probe
from tests.netns.site import NODES, Site, site
from tests.support.cluster import PATIENCE_S
from tests.support.disk import MIB, fill

pytestmark = [pytest.mark.root, pytest.mark.timeout(240)]
#: both ways, or one: b hears nothing of the server; the server hears nothing of b
FAULTS = ("cable", "deaf", "mute")
READER = """
import sys
from crane_celery import bootstrap, errors, settings
store = bootstrap.open_store(settings.load(sys.argv[1]))
print("connected", store.now(), flush=True)
try:
    store.events("$", 60.0, 1)
    print("nothing happened")
except errors.Unreachable:
    print("lost")
"""


@pytest.fixture(scope="module")
def patient() -> Iterator[Site]:
    """A cluster that writes no node off in the time that a test takes."""
    with site(timeout_s=600) as made:
        yield made


@pytest.fixture(scope="module")
def hasty() -> Iterator[Site]:
    """A cluster that writes a node off after five seconds."""
    with site(timeout_s=5) as made:
        yield made


def break_off(lab: Site, host: str, fault: str) -> None:
    """Begin a fault between a host and the server's."""
    one, server = lab.hosts[host], lab.hosts["server"]
    {"cable": one.cut, "deaf": lambda: one.deafen(server), "mute": lambda: server.deafen(one)}[fault]()


def mend(lab: Site, host: str, fault: str) -> None:
    """End it."""
    one, server = lab.hosts[host], lab.hosts["server"]
    {"cable": one.join, "deaf": lambda: one.hear(server), "mute": lambda: server.hear(one)}[fault]()


def test_jobs_of_the_login_host_run_on_the_other_hosts(patient: Site) -> None:
    for node in NODES:
        patient.run("cbatch", "--wait", "-w", node, "-o", f"{node}.out", "--wrap", "ip -br -4 address show eth0")
        assert f"{patient.hosts[node].address}/24" in (patient.work / f"{node}.out").read_text()


def test_an_array_over_all_hosts_runs_each_element_once(patient: Site) -> None:
    job = patient.submit("--array=0-39", "-o", "%A_%a.%N", "--wrap", "echo once; exit $((CRANE_ARRAY_TASK_ID % 5))")
    ended = patient.wait(job)
    files = list(patient.work.glob(f"{job}_*"))
    assert ended[job] != 0
    assert len(files) == 40
    assert all(file.read_text() == "once\n" for file in files)
    assert {file.suffix for file in files} == {f".{node}" for node in NODES}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_short_cut_loses_nothing(patient: Site, fault: str) -> None:
    """Jobs end on the cut host and are told after its return; others go on meanwhile; one that was sent there waits."""
    here, there = (Probe(patient, f"{fault}.{node}", node).started() for node in NODES)
    node = patient.running["node@b"]
    heard = len(node.lines)
    break_off(patient, "b", fault)
    node.says("no heartbeat", after=heard)
    here.finish(7)
    late = Probe(patient, f"{fault}.late", "b")
    there.finish(3)
    assert patient.wait(there.job) == {there.job: 3}
    assert patient.store.elements([here.job])[0].state == "Running"
    mend(patient, "b", fault)
    late.started().finish(0)
    assert patient.wait(here.job, late.job) == {here.job: 7, late.job: 0}
    assert [probe.witness for probe in (here, there, late)] == [["start", "end"]] * 3
    assert patient.store.nodes()[0].epoch == 1, "the node was never written off"


def test_a_blocked_reader_finds_out_that_its_connection_is_half_open(patient: Site) -> None:
    reader = patient.start("reader", "c", sys.executable, "-c", READER, patient.config("c"))
    reader.says("connected")
    break_off(patient, "c", "mute")
    try:
        reader.says("lost")
    finally:
        mend(patient, "c", "mute")


def test_a_waiting_command_outlives_a_cut_of_its_host(patient: Site) -> None:
    probe = Probe(patient, "waited", "b").started()
    waiting = subprocess.Popen(
        patient.argv("cbatch", "--wait", "--dependency", f"afterany:{probe.job}", "-o", "out.5", "--wrap", "exit 5"),
        env=patient.env("login"), cwd=patient.work, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert waiting.stdout
    with waiting, waiting.stdout:
        assert "allocated" in waiting.stdout.readline()
        break_off(patient, "login", "cable")
        refused = patient.run("cbatch", "--wrap", "true", code=3)
        assert patient.hosts["server"].address in refused.stderr
        assert "password" not in refused.stderr
        probe.finish(0)
        mend(patient, "login", "cable")
        assert waiting.wait(PATIENCE_S) == 5


def test_a_server_that_goes_and_comes_back_is_an_error_to_some_and_a_pause_to_others(patient: Site) -> None:
    probe = Probe(patient, "over", "b").started()
    patient.running["server"].end(hard=True)
    for command in ("cqueue", "cinfo"):
        assert "is it running" in patient.run(command, code=3).stderr
    probe.finish(9)
    patient.serve()
    assert patient.wait(probe.job) == {probe.job: 9}
    assert probe.witness == ["start", "end"]


def test_a_login_host_hears_that_the_servers_disk_is_nearly_full(patient: Site) -> None:
    ballast = fill(patient.folder / "data", 8 * MIB)
    told = Keys(f"{{{patient.name}}}").one("full")
    until(lambda: patient.store.link.do("GET", told) is not None)
    assert "MB left" in patient.run("cbatch", "--wrap", "true", code=4).stderr
    ballast.unlink()
    until(lambda: patient.store.link.do("GET", told) is None)
    patient.run("cbatch", "--wait", "-o", "/dev/null", "--wrap", "true")


def until(true: Callable[[], bool]) -> None:
    """Look again until it is true: free space tells of nothing."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        pause.wait(0.1)


def test_after_a_long_cut_the_node_kills_what_is_stale_and_takes_new_work(hasty: Site) -> None:
    stale, done = (Probe(hasty, name, "b").started() for name in ("stale", "done"))
    hasty.hosts["b"].cut()
    hasty.node_state("b", "down")
    assert hasty.wait(stale.job, done.job) == {stale.job: NODE_DOWN, done.job: NODE_DOWN}
    shown = hasty.run("ccontrol", "show", "job", str(stale.job)).stdout
    assert "JobState=Failed" in shown and "not heard of for 5 s" in shown
    done.finish(0)
    before = hasty.store.last_event()
    hasty.hosts["b"].join()
    hasty.node_state("b", "up")
    assert stale.rest() == "", "it was killed before its end"
    fresh = Probe(hasty, "fresh", "b").started()
    fresh.finish(0)
    assert hasty.wait(fresh.job) == {fresh.job: 0}
    late = [
        row[0] for event in hasty.store.events(before, 0.0, 1000) if event.kind == "end" for row in event.data["rows"]
    ]
    assert late == [fresh.job], "the ends of written-off runs count once"
    assert (stale.witness, done.witness, fresh.witness) == (["start"], ["start", "end"], ["start", "end"])


def test_another_scheduler_takes_over_from_one_that_lost_the_server(hasty: Site) -> None:
    hasty.schedule("second").says("leader loop")
    leader, other = "first", "second"
    for fault in FAULTS:
        old = hasty.running[f"scheduler@{leader}"]
        seen, before = len(old.lines), hasty.store.last_event()
        break_off(hasty, leader, fault)
        hasty.event(lambda event: event.kind == "lead", before, patience_s=10.0)
        probe = Probe(hasty, f"led.{fault}", "c").started()
        old.says("the server does not answer", after=seen)
        mend(hasty, leader, fault)
        probe.finish(4)
        assert hasty.wait(probe.job) == {probe.job: 4}
        assert probe.witness == ["start", "end"]
        leader, other = other, leader
