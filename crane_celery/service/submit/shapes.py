"""The shapes that a request may start in: numbers of nodes from a range, one of several partitions. Pure."""

import re
from collections.abc import Iterator

from crane_celery.service.submit.option_reader import MAX_NUMBER, Options
from crane_celery.settings import Settings

#: numbers of nodes that are tried, of a long range the least, the most, and some between
MAX_COUNTS = 16
MAX_PARTITIONS = 16


def shapes_of(opt: Options, settings: Settings) -> Iterator[Options]:
    """Yield the options of each shape, that wanted most first: by partition, then the most nodes. Raises InputError."""
    names = [name.strip() for name in opt.text("partition").split(",") if name.strip()]
    if len(names) > MAX_PARTITIONS:
        raise opt.error("partition", f"{len(names)} partitions are too many: {MAX_PARTITIONS} at most")
    counts = _counts(opt, len(settings.nodes))
    for name in dict.fromkeys(names) if len(names) > 1 else [""]:
        for count in counts:
            own = {**({"partition": name} if name else {}), **({"nodes": count} if count else {})}
            yield opt.other(own) if own else opt


def _counts(opt: Options, nodes: int) -> list[int]:
    """Numbers of nodes of a range, the most first; [0] where it is no range. Raises InputError."""
    found = re.fullmatch(r"(?a)(\d{1,9})-(\d{1,9})", str(opt.value("nodes")))
    if not found:
        return [0]
    least, most = int(found[1]), int(found[2])
    if not 1 <= least <= most <= MAX_NUMBER:
        raise opt.error("nodes", f"{found[0]} is no range of numbers from 1, such as 1-4")
    most = max(least, min(most, nodes, opt.number("ntasks") or most))
    step = -(-(most - least + 1) // MAX_COUNTS)
    return sorted({least, *range(most, least, -step)}, reverse=True)
