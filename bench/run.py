"""``make bench``: the table of numbers, this project beside its peers, in one run; also written to bench/results.md."""

import contextlib
import datetime
import os
import pathlib
import platform
import sys
from collections.abc import Callable
from typing import NamedTuple

from tabulate import tabulate

from bench import arrays, fresh, one_cancel, peers, rows, sched_core
from bench.cluster import Cluster, running
from crane_celery.supervisor.redis_server import find_server

HERE = pathlib.Path(__file__).parent
Figures = dict[str, float]


def collect(measure: Callable[..., Figures], *given: Cluster) -> Figures:
    """One row's figures; a row that fails is reported and left empty, so that one fault does not hide the others."""
    try:
        figures = measure(*given)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        print(f"{measure.__name__}: {error}", file=sys.stderr)
        return {}
    print(f"{measure.__name__}: " + ", ".join(f"{k}={v:.1f}" for k, v in figures.items()), file=sys.stderr)
    return figures


def ours() -> Figures:
    """All figures of this project, in the stock configuration; the array again without cgroups."""
    found: Figures = (
        sched_core.figures() | collect(arrays.figures) | collect(fresh.figures) | collect(one_cancel.figures)
    )
    with running() as cluster:
        for measure in (
            rows.array,
            rows.chain,
            rows.latency,
            rows.steps,
            rows.commands,
            rows.queue,
            rows.idle,
            rows.history,
        ):
            found |= collect(measure, cluster)
    with running(extra=("--cgroup", "none")) as cluster:
        found["jobs_per_s_no_cgroup"] = collect(rows.array, cluster).get("jobs_per_s", 0.0)
    return found


def cell(value: float | None, unit: str = "") -> str:
    """A figure for people, or a dash."""
    return "-" if not value else f"{value:,.0f}{unit}" if value >= 10 else f"{value:.2f}{unit}"


class Columns(NamedTuple):
    """Record of what was measured, by system."""

    us: Figures
    s: float  # seconds of one bare start of Python
    floor: peers.Figures
    slurm: peers.Figures
    slurm_cgroup: peers.Figures
    hyperqueue: peers.Figures
    parallel: peers.Figures

    def own(self, name: str, unit: str = "") -> str:
        """A figure of ours."""
        return cell(self.us.get(name), unit)

    def starts(self, name: str) -> str:
        """A figure of ours in milliseconds and in starts of bare Python."""
        return f"{self.us[name]:.0f} ms = {self.us[name] / 1e3 / self.s:.1f} S" if name in self.us else "-"


def rate(figures: peers.Figures, work: str, unit: str = "") -> str:
    """A peer's items a second."""
    return cell(figures[work]["per_second"], unit) if work in figures else "-"


def each(figures: peers.Figures, work: str) -> str:
    """A peer's milliseconds per item."""
    return cell(figures[work]["seconds"] / figures[work]["n"] * 1e3, " ms") if work in figures else "-"


def whole(figures: peers.Figures, work: str) -> str:
    """A peer's milliseconds for all of it."""
    return cell(figures[work]["seconds"] * 1e3, " ms") if work in figures else "-"


def row(work: str, ours: str, goal: str, slurm: str = "-", floor: str = "-") -> list[str]:
    """A row that HyperQueue and GNU parallel have no figure for."""
    return [work, slurm, "-", "-", floor, ours, goal]


def table(c: Columns) -> list[list[str]]:
    """The rows of the table of numbers: work, Slurm, HyperQueue, GNU parallel, floor, ours, to be reached."""
    s, slurm = f"S = {c.s * 1e3:.1f} ms", c.slurm
    array = [rate(peer, "array_true") for peer in (slurm, c.hyperqueue, c.parallel, c.floor)]
    latency = f"p50 {c.own('p50_ms', ' ms')}, p99 {c.own('p99_ms', ' ms')}"
    fresh_latency = f"p50 {c.own('fresh_p50_ms', ' ms')}, p99 {c.own('fresh_p99_ms', ' ms')}"
    one_cancels = f"{c.own('cancel_few_us', ' us')} and {c.own('cancel_many_us', ' us')}"
    in_groups, steps = rate(c.slurm_cgroup, "array_true"), each(slurm, "steps_sequential")
    at_once, expanded = rate(slurm, "steps_parallel", "/s"), whole(slurm, "queue_list_expanded")
    return [
        ["array of 1,000 trivial jobs, jobs/s, no cgroups", *array, c.own("jobs_per_s_no_cgroup"), ">= 1,500"],
        row("the same, each in its own cgroup (stock)", c.own("jobs_per_s"), ">= 1,000", in_groups),
        row("chain of 31 afterok jobs, a link", c.own("ms_per_link", " ms"), "<= 10 ms", each(slurm, "chain_afterok")),
        row("submit to start, idle cluster", latency, "p50 <= 15 ms, p99 <= 50 ms"),
        row("chain of 11 afterok jobs, worst of 5 fresh clusters", c.own("fresh_ms_per_link", " ms"), "<= 15 ms"),
        row("submit to start, worst of 5 fresh clusters", fresh_latency, "p50 <= 15 ms, p99 <= 50 ms"),
        row("50 steps one after another, by command", c.starts("ms_per_step"), "<= 3 S", steps, s),
        row("100 steps at once, by command", c.own("parallel_per_s", "/s"), ">= 60/s", at_once),
        row("100 steps at once, by API", "not built yet", ">= 500/s"),
        row("--help of a command", c.starts("help_ms"), "<= 2.5 S", floor=s),
        row("submit one job, by command", c.starts("submit_ms"), "<= 4 S", each(slurm, "submit_single_cli"), s),
        row("submit --array=0-999999, by command", c.starts("submit_million_ms"), "<= 5 S", floor=s),
        row("submit distinct jobs, by API", c.own("bulk_submit_per_s", "/s"), ">= 5,000/s"),
        row("list 110,000 pending, folded", c.starts("list_folded_ms"), "<= 4 S", whole(slurm, "queue_list_folded"), s),
        row("list 110,000 pending, expanded", c.own("list_expanded_ms", " ms"), "<= 600 ms", expanded),
        row("list them the first time after submitting", c.starts("list_first_ms"), "-", floor=s),
        row("cancel all of it", c.starts("cancel_all_ms"), "<= 6 S", whole(slurm, "cancel_all"), s),
        row("cancel one, waited for, 10 and 100,000 others pending: server", one_cancels, "equal"),
        row("cacct of a user's day, a million ended", c.own("history_day_ms", " ms"), "<= 300 ms"),
        row("cacct of half of them, by user and time", c.own("history_all_ms", " ms"), "<= 300 ms"),
        row("decisions/s, one core, 10,000 nodes 90 % full, mixed", c.own("mixed_per_s"), ">= 10,000"),
        row("the same, equal requests", c.own("equal_per_s"), ">= 100,000"),
        *of_a_million(c),
        row("idle cluster of 4 nodes, CPU of a core", c.own("idle_percent", " %"), "<= 2 %", floor="0"),
    ]


def of_a_million(c: Columns) -> list[list[str]]:
    """The rows of an array of a million (bench.arrays): a run to its end with simulated nodes, and while it waits."""
    tenths = f"{c.own('million_first_per_s')} and {c.own('million_last_per_s')}"
    cpu = f"{c.own('million_first_us', ' us')} and {c.own('million_last_us', ' us')}"
    blocked = "yes" if c.us.get("million_blocked") else "none" if "million_blocked" in c.us else "-"
    views = f"{c.own('alternating_built_bytes')} and {c.own('alternating_followed_bytes')}"
    return [
        row("a million elements, simulated nodes, elements/s", c.own("million_per_s"), ">= 10,000"),
        row("of these, the first and the last tenth", tenths, "last >= 0.95 first"),
        row("the same, server's CPU for each", cpu, "equal"),
        row("commands that took the server 50 ms meanwhile", blocked, "none"),
        row("a million held: memory of the server", c.own("held_kib", " KiB"), "<= 64 KiB"),
        row("the same, memory of the scheduler, an element", c.own("held_view_bytes", " bytes"), "<= 1 byte"),
        row("every second held, changed, cancelled: the server", c.own("alternating_kib", " KiB"), "<= 256 KiB"),
        row("the same, scheduler, read anew and by events", views, "<= 1 byte"),
    ]


def circumstances() -> str:
    """Under what the figures were taken, in one sentence."""
    user = "nobody" if os.getuid() == 0 else str(os.getuid())
    found = find_server()
    server = f"{os.path.basename(found.program)} {found.version[0]}.{found.version[1]} ({found.allocator})"
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}, {server}; "
        f"stock configuration (history, signing, fsync always), submitting user {user}; "
        "embedded cluster of 4 nodes x 16 CPUs."
    )


def main() -> int:
    """Measure, print, write."""
    s, floor, us = rows.bare_python(), peers.measure("floor"), ours()
    others = peers.slurm(), peers.slurm("cgroup"), peers.measure("hyperqueue"), peers.measure("parallel")
    headers = ["work", "Slurm", "HyperQueue", "GNU parallel", "floor", "crane-celery", "to reach"]
    text = tabulate(table(Columns(us, s, floor, *others)), headers=headers, tablefmt="github", disable_numparse=True)
    print(f"\n{text}\n\n{circumstances()}")
    with contextlib.suppress(OSError):
        (HERE / "results.md").write_text(f"# Measured by `make bench`\n\n{circumstances()}\n\n{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
