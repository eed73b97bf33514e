"""Define what people compare schedulers by, from one run of a trace."""

from __future__ import annotations

from statistics import fmean, median
from typing import NamedTuple

from crane_celery.simulation.cluster import Cluster
from crane_celery.simulation.replay import Result

#: a job shorter than this counts as this long, so that waiting a second for a job of a second ruins no mean
TAU_S = 10.0
_HOUR = 3600.0


class Measures(NamedTuple):
    """Times are seconds of the simulated clusters, but for ``decisions_s``."""

    policy: str
    jobs: int
    utilisation: float  # share of CPUs at work from the first submission to the last end
    drained: float  # share of CPUs idle, over the same time, on nodes that were drained towards a job
    makespan: float
    wait_mean: float
    wait_median: float
    wait_p95: float
    slowdown_mean: float  # bounded: (wait + run) / max(run, TAU_S), 1 at least
    jobs_per_hour: float
    decisions: int
    decisions_s: float  # a second of this machine's; 0 when it was too short to measure


def measure(result: Result, cluster: Cluster) -> Measures:
    """Sum a run up."""
    waits = sorted(ran.start - ran.job.submit for ran in result.ran)
    makespan = max(ran.end for ran in result.ran)
    worked = sum(ran.job.run * ran.job.procs for ran in result.ran)
    return Measures(
        policy=result.policy,
        jobs=len(waits),
        utilisation=worked / (cluster.total * makespan) if makespan else 0.0,
        drained=_drained(result, makespan) / (cluster.total * makespan) if makespan else 0.0,
        makespan=makespan,
        wait_mean=fmean(waits),
        wait_median=median(waits),
        wait_p95=percentile(waits, 95),
        slowdown_mean=fmean(slowdown(ran.start - ran.job.submit, ran.job.run) for ran in result.ran),
        jobs_per_hour=len(waits) / makespan * _HOUR if makespan else 0.0,
        decisions=result.considered,
        decisions_s=result.considered / result.spent if result.spent > 0 else 0.0,
    )


def _drained(result: Result, end: float) -> float:
    """CPU seconds idle on drained nodes."""
    until = [*(sample.at for sample in result.samples[1:]), end]
    return sum(sample.drained * max(0.0, to - sample.at) for sample, to in zip(result.samples, until, strict=True))


def slowdown(wait: float, run: float) -> float:
    """The bounded slowdown of one job."""
    return max(1.0, (wait + run) / max(run, TAU_S))


def percentile(ordered: list[float], share: int) -> float:
    """The least value that ``share`` of a hundred do not pass (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]
