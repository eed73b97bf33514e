"""Measure what depends on how a cluster came up: a chain and submit-to-start on several fresh clusters, the worst
of each.

By hand: ``python -m bench.fresh``.
"""

import sys

from bench import rows
from bench.cluster import running

CLUSTERS = 5


def figures(clusters: int = CLUSTERS) -> dict[str, float]:
    """Of each figure the worst of all clusters, each of which is started for it, while the host is busy with that."""
    worst: dict[str, float] = {}
    for number in range(1, clusters + 1):
        with running() as cluster:
            found = rows.chain(cluster, 11) | rows.latency(cluster, 20)
        print(f"fresh cluster {number}: " + ", ".join(f"{k}={v:.1f}" for k, v in found.items()), file=sys.stderr)
        for name, value in found.items():
            key = f"fresh_{name}"
            worst[key] = max(value, worst.get(key, 0.0))
    return worst


if __name__ == "__main__":
    print(", ".join(f"{name}={value:.1f}" for name, value in figures().items()))
