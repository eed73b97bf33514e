"""``make bench``: the table of numbers, this project beside its peers, in one run; also written to bench/results.md."""

import contextlib
import datetime
import os
import pathlib
import platform
import sys
from collections.abc import Callable

from tabulate import tabulate

from bench import peers, rows
from bench.cluster import Cluster, running

HERE = pathlib.Path(__file__).parent
Figures = dict[str, float]


def collect(measure: Callable[[Cluster], Figures], cluster: Cluster) -> Figures:
    """One row's figures; a row that fails is reported and left empty, so that one fault does not hide the others."""
    try:
        figures = measure(cluster)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        print(f"{measure.__name__}: {error}", file=sys.stderr)
        return {}
    print(f"{measure.__name__}: " + ", ".join(f"{k}={v:.1f}" for k, v in figures.items()), file=sys.stderr)
    return figures


def ours() -> Figures:
    """All figures of this project, in the stock configuration; the array again without cgroups."""
    found: Figures = {}
    with running() as cluster:
        for measure in (rows.array, rows.chain, rows.latency, rows.steps, rows.commands, rows.queue, rows.idle):
            found |= collect(measure, cluster)
    with running(extra=("--cgroup", "none")) as cluster:
        found["jobs_per_s_no_cgroup"] = collect(rows.array, cluster).get("jobs_per_s", 0.0)
    return found


def cell(value: float | None, unit: str = "") -> str:
    """A figure for people, or a dash."""
    return "-" if not value else f"{value:,.0f}{unit}" if value >= 10 else f"{value:.2f}{unit}"


def per(figures: peers.Figures, work: str, field: str, factor: float = 1.0) -> float | None:
    """One figure of a peer, scaled."""
    return figures[work][field] * factor if work in figures else None


def link_ms(figures: peers.Figures, work: str) -> float | None:
    """Milliseconds per item of a peer's row."""
    return figures[work]["seconds"] / figures[work]["n"] * 1e3 if work in figures else None


def table(
    us: Figures,
    s: float,
    floor: peers.Figures,
    slurm: peers.Figures,
    slurm_cg: peers.Figures,
    hq: peers.Figures,
    parallel: peers.Figures,
) -> list[list[str]]:
    """The rows of design.md section 10."""
    start = f"S = {s * 1e3:.1f} ms"

    def in_s(name: str) -> str:
        return f"{us[name]:.0f} ms = {us[name] / 1e3 / s:.1f} S" if name in us else "-"

    array = [cell(per(p, "array_true", "per_second")) for p in (slurm, hq, parallel, floor)]
    return [
        ["array of 1,000 trivial jobs, jobs/s (no cgroups)", *array, cell(us.get("jobs_per_s_no_cgroup")), ">= 1,500"],
        [
            "the same, each job in its own cgroup (stock)",
            cell(per(slurm_cg, "array_true", "per_second")),
            "-",
            "-",
            "-",
            cell(us.get("jobs_per_s")),
            ">= 1,000",
        ],
        [
            "chain of 31 afterok jobs, per link",
            cell(link_ms(slurm, "chain_afterok"), " ms"),
            "-",
            "-",
            "-",
            cell(us.get("ms_per_link"), " ms"),
            "<= 10 ms",
        ],
        [
            "submit to start, idle cluster",
            "-",
            "-",
            "-",
            "-",
            f"p50 {cell(us.get('p50_ms'), ' ms')}, p99 {cell(us.get('p99_ms'), ' ms')}",
            "p50 <= 15 ms, p99 <= 50 ms",
        ],
        [
            "50 steps one after another, by command",
            cell(link_ms(slurm, "steps_sequential"), " ms"),
            "-",
            "-",
            start,
            in_s("ms_per_step"),
            "<= 3 S",
        ],
        [
            "100 steps at once, by command",
            cell(per(slurm, "steps_parallel", "per_second"), "/s"),
            "-",
            "-",
            "-",
            cell(us.get("parallel_per_s"), "/s"),
            ">= 60/s (>= 500/s by API: not built yet)",
        ],
        ["--help", "-", "-", "-", start, in_s("help_ms"), "<= 2.5 S"],
        [
            "submit one job by command",
            cell(link_ms(slurm, "submit_single_cli"), " ms"),
            "-",
            "-",
            start,
            in_s("submit_ms"),
            "<= 4 S",
        ],
        ["submit --array=0-999999 by command", "-", "-", "-", start, in_s("submit_million_ms"), "<= 5 S"],
        ["submit distinct jobs by API", "-", "-", "-", "-", cell(us.get("bulk_submit_per_s"), "/s"), ">= 5,000/s"],
        [
            "list 110,000 pending, folded",
            cell(link_ms(slurm, "queue_list_folded"), " ms"),
            "-",
            "-",
            start,
            in_s("list_folded_ms"),
            "<= 4 S",
        ],
        [
            "list 110,000 pending, expanded",
            cell(link_ms(slurm, "queue_list_expanded"), " ms"),
            "-",
            "-",
            start,
            cell(us.get("list_expanded_ms"), " ms"),
            "<= 600 ms",
        ],
        [
            "cancel all of it",
            cell(per(slurm, "cancel_all", "seconds", 1e3), " ms"),
            "-",
            "-",
            start,
            in_s("cancel_all_ms"),
            "<= 6 S",
        ],
        ["idle cluster of 4 nodes, CPU", "-", "-", "-", "0", cell(us.get("idle_percent"), " %"), "<= 2 %"],
    ]


def main() -> int:
    """Measure, print, write."""
    s = rows.bare_python()
    floor = peers.measure("floor")
    us = ours()
    slurm, slurm_cg = peers.slurm(), peers.slurm("cgroup")
    hq, parallel = peers.measure("hyperqueue"), peers.measure("parallel")
    headers = ["work", "Slurm", "HyperQueue", "GNU parallel", "floor", "crane-celery", "to reach"]
    text = tabulate(
        table(us, s, floor, slurm, slurm_cg, hq, parallel), headers=headers, tablefmt="github", disable_numparse=True
    )
    load = os.getloadavg()[0]
    note = (
        f"{datetime.date.today()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load {load:.1f}; stock configuration (history, signing, fsync always), submitting user "
        f"{'nobody' if os.getuid() == 0 else os.getuid()}; embedded cluster of 4 nodes x 16 CPUs."
    )
    print(f"\n{text}\n\n{note}")
    with contextlib.suppress(OSError):
        (HERE / "results.md").write_text(f"# Measured by `make bench`\n\n{note}\n\n{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
