"""``crane simulate``: how a recorded workload would have fared on a cluster, policy by policy."""

from __future__ import annotations

import gzip
import os
import time
from typing import TYPE_CHECKING

from cli.admin import _plots
from cli.common.main import say
from cli.common.options import Parser, split_list
from cli.common.progress import Progress
from cli.output.render import print_json, print_lines
from crane_celery.errors import InputError
from crane_celery.grammar._lex import quote, whole
from crane_celery.grammar.duration import format_duration
from crane_celery.grammar.memory import parse_memory
from crane_celery.grammar.names import did_you_mean
from crane_celery.simulation import picture
from crane_celery.simulation.cluster import Cluster
from crane_celery.simulation.measure import Measures, measure
from crane_celery.simulation.replay import POLICIES, Replay
from crane_celery.simulation.series import series
from crane_celery.simulation.trace import Trace, read

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from crane_celery.simulation.picture import Mark
    from crane_celery.simulation.replay import Result

_EXAMPLES = """examples:
  crane simulate NASA-iPSC-1993-3.1-cln.swf.gz --nodes 128 --cpus 1
  crane simulate trace.swf --nodes 64 --cpus 16 --speed-up 2 --policy fifo --plot queue.svg"""
#: nodes are made one by one; of CPUs and jobs there is no more than a count
_MAX_NODES, _MAX_CPUS, _MAX_JOBS = 2**17, 2**16, 10**9 - 1
_SHOW_EVERY = 200  # moments between two drawings of the bar


def simulate(argv: list[str]) -> int:
    """Replay a trace and print what came of it. Raises InputError."""
    asked = _parser().parse(argv)
    cluster, policies, draw = _cluster(asked), _policies(asked.policy), _picture(asked.plot)
    trace = _trace(asked)
    results = [_replay(trace, cluster, policy) for policy in policies]
    found = [measure(result, cluster) for result in results]
    if draw:
        _write(asked.plot, draw(_marks(results, cluster)))
    if asked.json:
        print_json({"trace": asked.trace, "left_out": trace.left_out, "policies": [each._asdict() for each in found]})
    else:
        _table(asked, trace, cluster, found)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "crane simulate",
        "Replay a trace (Standard Workload Format) through the scheduler in simulated time.",
        usage="crane simulate TRACE --nodes N --cpus C [options]",
        epilog=_EXAMPLES,
    )
    parser.add_argument("trace", metavar="TRACE", help="a file in the Standard Workload Format, gzipped or not")
    parser.add_argument("--nodes", metavar="N", required=True, help="nodes of the cluster")
    parser.add_argument("--cpus", metavar="C", required=True, help="CPUs of each; a processor of the trace is one")
    parser.add_argument("--mem", metavar="SIZE", help="memory of each; without it memory is left out of account")
    parser.add_argument("--policy", metavar="LIST", help=f"of {', '.join(POLICIES)}; all of them by default")
    parser.add_argument("--limit", metavar="JOBS", help="the first jobs of the trace only")
    parser.add_argument("--speed-up", metavar="FACTOR", help="submissions come so many times as fast (1)")
    parser.add_argument(
        "--plot", metavar="FILE", help="utilisation and queue over time, as FILE.svg, FILE.png or FILE.pdf"
    )
    parser.add_argument("--no-limits", action="store_true", help="as if no user gave a time limit")
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    return parser


def _cluster(asked: Namespace) -> Cluster:
    memory = parse_memory(asked.mem) if asked.mem else 0
    return Cluster(_whole("--nodes", asked.nodes, _MAX_NODES), _whole("--cpus", asked.cpus, _MAX_CPUS), memory)


def _whole(option: str, text: str, most: int) -> int:
    number = whole(text, most)
    if not number:
        raise InputError(f"bad {option} {quote(text)}: write a whole number from 1 to {most}")
    return number


def _factor(text: str | None) -> float:
    try:
        factor = float(text or 1.0)
    except ValueError:
        factor = 0.0
    if not 1e-6 <= factor <= 1e6:
        raise InputError(f"bad --speed-up {str(text)[:40]!r}: write a number above 0, such as 1.5")
    return factor


def _policies(text: str | None) -> list[str]:
    chosen = split_list(text) or list(POLICIES)
    for name in chosen:
        if name not in POLICIES:
            raise InputError(
                f"unknown policy {name!r}{did_you_mean(name, POLICIES)}: it is one of {', '.join(POLICIES)}"
            )
    return list(dict.fromkeys(chosen))


def _picture(path: str | None) -> Callable[[Sequence[Mark]], bytes] | None:
    """Return what draws, by the ending of the file's name. Raises InputError for another ending, or none to draw it."""
    if path is None:
        return None
    ending = os.path.splitext(path)[1].lower()
    if ending == ".svg":
        return picture.svg
    if ending in _plots.ENDINGS:
        return _plots.drawer(path, ending)
    raise InputError(f"--plot {path!r}: no picture has the ending {ending!r}; write FILE.svg, FILE.png or FILE.pdf")


def _trace(asked: Namespace) -> Trace:
    limit, factor = _whole("--limit", asked.limit, _MAX_JOBS) if asked.limit else None, _factor(asked.speed_up)
    try:
        with open(asked.trace, "rb") as start:
            zipped = start.read(2) == b"\x1f\x8b"
        with (gzip.open if zipped else open)(asked.trace, "rt", encoding="ascii", errors="replace") as file:
            trace = read(file, asked.trace, limit)
    except EOFError:
        raise InputError(f"cannot read {asked.trace}: the gzip file ends before its end; fetch it again") from None
    except OSError as error:
        raise InputError(f"cannot read {asked.trace}: {error.strerror or error}") from None
    jobs = [job._replace(submit=job.submit / factor, limit=0 if asked.no_limits else job.limit) for job in trace.jobs]
    return trace._replace(jobs=jobs)


def _replay(trace: Trace, cluster: Cluster, policy: str) -> Result:
    replay = Replay(trace.jobs, cluster, policy, time.perf_counter)
    bar = Progress(policy)
    for number, (done, total) in enumerate(replay.run()):
        if number % _SHOW_EVERY == 0 or done == total:
            bar.show(done, total)
    bar.close()
    return replay.result()


def _marks(results: Sequence[Result], cluster: Cluster) -> list[Mark]:
    end = max(ran.end for result in results for ran in result.ran)
    laid = [(result.policy, series(result.samples, end, picture.COLUMNS)) for result in results]
    busy = [picture.Curve(name, [100 * value / cluster.total for value in each.busy]) for name, each in laid]
    waiting = [picture.Curve(name, each.waiting) for name, each in laid]
    most = max((value for curve in waiting for value in curve.values), default=0.0)
    panels = [picture.Panel("CPUs at work", 100.0, "%", busy), picture.Panel("jobs that wait", most, "", waiting)]
    return picture.marks(panels, f"{end / 86400:.1f} days")


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None


def _table(asked: Namespace, trace: Trace, cluster: Cluster, found: Sequence[Measures]) -> None:
    from tabulate import tabulate

    left_out = f", {trace.left_out} left out that never ran" if trace.left_out else ""
    say(f"{asked.trace}: {len(trace.jobs)} jobs{left_out}; {cluster.nodes} nodes of {cluster.cpus} CPUs", "")
    rows: list[tuple[str, Callable[[Measures], str]]] = [
        ("utilisation", lambda of: f"{of.utilisation:.1%}"),
        ("drained", lambda of: f"{of.drained:.1%}"),
        ("makespan", lambda of: format_duration(round(of.makespan))),
        ("wait, mean", lambda of: format_duration(round(of.wait_mean))),
        ("wait, median", lambda of: format_duration(round(of.wait_median))),
        ("wait, 95 of 100 below", lambda of: format_duration(round(of.wait_p95))),
        ("bounded slowdown, mean", lambda of: f"{of.slowdown_mean:.2f}"),
        ("jobs an hour", lambda of: f"{of.jobs_per_hour:.1f}"),
        ("decisions", lambda of: str(of.decisions)),
        ("decisions a second", lambda of: f"{of.decisions_s:.0f}"),
    ]
    table = [[name, *(show(each) for each in found)] for name, show in rows]
    heads = ["", *(each.policy for each in found)]
    right = ["left", *["right"] * len(found)]
    print_lines([tabulate(table, headers=heads, tablefmt="plain", disable_numparse=True, colalign=right)])
