"""A trace through the scheduler: who starts when, by policy."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from crane_celery.errors import InputError
from crane_celery.simulation.cluster import Cluster
from crane_celery.simulation.measure import Measures, measure, percentile, slowdown
from crane_celery.simulation.replay import POLICIES, Observer, Replay, Result, Sample
from crane_celery.simulation.series import series
from crane_celery.simulation.trace import Trace, TraceJob, read
from tests.unit.simulation.make_trace import trace

SMALL = Path(__file__).with_name("small.swf")
CLUSTER = Cluster(16, 1)


def small() -> Trace:
    return read(SMALL.read_text().splitlines(), "small.swf")


@cache
def whole(policy: str) -> Result:
    """The small trace by a policy, replayed once for all tests that only read what came of it."""
    return replayed(small().jobs, policy)


def replayed(jobs: list[TraceJob], policy: str, cluster: Cluster = CLUSTER, observe: Observer | None = None) -> Result:
    replay = Replay(jobs, cluster, policy, observe=observe)
    states = list(replay.run())
    assert states[-1] == (len(jobs), len(jobs))
    assert all(left[0] <= right[0] for left, right in pairwise(states))
    return replay.result()


def measured(jobs: list[TraceJob], policy: str, cluster: Cluster = CLUSTER) -> Measures:
    return measure(replayed(jobs, policy, cluster), cluster)


def line(number: int, submit: float, run: float, procs: int, limit: float = -1, memory: float = -1) -> str:
    return f"{number} {submit} -1 {run} {procs} -1 -1 {procs} {limit} {memory} 1 1 1 -1 -1 -1 -1 -1"


def starts(policy: str, *lines: str, cluster: Cluster = CLUSTER) -> dict[int, float]:
    return {ran.job.number: ran.start for ran in replayed(read(lines, "t").jobs, policy, cluster).ran}


QUEUE = (line(1, 5, 100, 8), line(2, 6, 100, 16), line(3, 7, 10, 8, limit=10), line(4, 8, 200, 8, limit=300))


def test_fifo_starts_nobody_before_whoever_came_earlier() -> None:
    assert starts("fifo", *QUEUE) == {1: 0, 2: 100, 3: 200, 4: 200}


def test_first_fit_lets_whoever_fits_pass() -> None:
    found = starts("firstfit", *QUEUE)
    assert found[3] == 2 and found[4] == 12


def test_backfill_beats_first_come_first_served() -> None:
    fifo, backfill = (measure(whole(policy), CLUSTER) for policy in ("fifo", "backfill"))
    assert backfill.utilisation > fifo.utilisation and backfill.makespan < fifo.makespan
    assert backfill.wait_mean < fifo.wait_mean and backfill.slowdown_mean < fifo.slowdown_mean


def test_backfill_lets_pass_who_delays_nobody() -> None:
    found = starts("backfill", *QUEUE)
    assert found == {1: 0, 2: 100, 3: 2, 4: 200}


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_used_twice_and_nobody_starts_early(policy: str) -> None:
    found = whole(policy)
    assert len(found.ran) == 400 and all(ran.start >= ran.job.submit for ran in found.ran)
    changes = sorted(
        [(ran.end, -ran.job.procs) for ran in found.ran] + [(ran.start, ran.job.procs) for ran in found.ran]
    )
    used = 0
    for _, change in changes:
        used += change
        assert used <= CLUSTER.total
    assert max(sample.busy for sample in found.samples) <= CLUSTER.total
    assert found.samples[-1].busy == found.samples[-1].waiting == 0


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_trace_gives_the_same_run(policy: str) -> None:
    first = small().jobs[:150]
    assert replayed(first, policy) == replayed(first, policy)


def test_fifo_keeps_the_order_of_the_trace() -> None:
    order = [ran.start for ran in whole("fifo").ran]
    assert order == sorted(order)


def test_first_fit_uses_what_fifo_leaves_idle() -> None:
    fifo, fit = measure(whole("fifo"), CLUSTER), measure(whole("firstfit"), CLUSTER)
    assert fit.utilisation > 1.2 * fifo.utilisation and fit.wait_mean < fifo.wait_mean / 2


def test_processors_are_spread_over_as_few_nodes_as_hold_them() -> None:
    four = Cluster(2, 4, 8 << 20)
    spec = four.job(read([line(1, 0, 1, 6, memory=1024)], "t").jobs[0], 1, 1.0).spec
    assert (spec.nodes, spec.cpus_per_node, spec.memory) == (2, 3, 3 << 20)


@pytest.mark.parametrize(
    ("job", "cluster", "what"),
    [
        (line(7, 0, 1, 9), Cluster(2, 4), "job 7 of the trace ran on 9 processors, .* give it --nodes 3"),
        (line(7, 0, 1, 4, memory=4096), Cluster(2, 4, 8 << 20), "job 7 of the trace needs 16 MB on a node.*--mem"),
    ],
)
def test_too_small_a_cluster_is_refused(job: str, cluster: Cluster, what: str) -> None:
    with pytest.raises(InputError, match=what):
        starts("fifo", job, cluster=cluster)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["; comment", "1 2 3"], "t, line 2: 3 fields where"),
        ([line(1, 0, 1, 1), line(2, 0, 1, 1).replace("-1", "x", 1)], "t, line 2: field 3 is 'x'"),
        ([line(1, 0, 1, 1).replace("-1", "nan", 1)], "t, line 1: a number is beyond"),
        ([line(1, 0, 1, 1).replace("-1", "1e400", 1)], "t, line 1: a number is beyond"),
        (["; nothing", line(1, 0, -1, 1)], "no job that ran"),
        ([], "no job that ran"),
    ],
)
def test_what_is_no_trace_is_refused_by_line(lines: list[str], what: str) -> None:
    with pytest.raises(InputError, match=what):
        read(lines, "t")


def test_a_trace_is_sorted_begins_at_zero_and_leaves_out_what_never_ran() -> None:
    found = read([line(3, 50, 5, 1), line(1, 20, 5.5, 2, limit=2), line(2, 30, -1, 1), ""], "t")
    assert [(job.number, job.submit, job.limit) for job in found.jobs] == [
        (1, 0, 6),
        (3, 30, 5),
    ] and found.left_out == 1


def test_only_the_first_jobs() -> None:
    assert [job.number for job in read([line(n, n, 1, 1) for n in range(1, 9)], "t", limit=3).jobs] == [1, 2, 3]


def test_measures() -> None:
    found = measured(read([line(1, 0, 100, 16), line(2, 50, 5, 8)], "t").jobs, "fifo")
    assert (found.makespan, found.wait_mean, found.wait_p95) == (105, 25, 50)
    assert found.utilisation == pytest.approx((1600 + 40) / (16 * 105))
    assert found.slowdown_mean == pytest.approx((1 + 5.5) / 2)
    assert slowdown(0, 1) == 1 and percentile([1.0, 2.0], 95) == 2 and percentile([1.0], 50) == 1


def test_series_keep_the_area_and_the_peak() -> None:
    found = series([Sample(0, 4, 1), Sample(3, 2, 9), Sample(4, 0, 0)], 8, 4)
    assert found.busy == [4, 3, 0, 0] and found.waiting == [1, 9, 0, 0]


def test_a_long_trace_of_a_busy_machine() -> None:
    jobs = read(trace(3000, 128, (0, 0, 60, 240, 900)), "long.swf").jobs
    cluster = Cluster(128, 1)
    fifo, fit = measured(jobs, "fifo", cluster), measured(jobs, "firstfit", cluster)
    assert fit.wait_mean < fifo.wait_mean
    assert fit.utilisation >= fifo.utilisation


def test_the_small_trace_is_as_it_is_made() -> None:
    assert SMALL.read_text() == "\n".join(trace()) + "\n"
