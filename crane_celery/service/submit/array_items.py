"""Arrays made from a list: which of its values become elements."""

from collections.abc import Sequence

from crane_celery.errors import InputError, LimitReached
from crane_celery.service.submit.options import array_of
from crane_celery.service.submit.request import JobRequest
from crane_celery.settings import Settings


def settled(request: JobRequest, settings: Settings) -> JobRequest:
    """The request with its array spelled out and its items in the order of the ranks.

    Without ``array`` every value is an element, its index its place in the list from 0; ``%N`` alone bounds how many
    run at once; indexes choose some of them. Raises InputError, LimitReached.
    """
    if not request.items:
        return request
    total, text = len(request.items), str(request.options.get("array") or "")
    if text and not text.startswith("%"):
        return request._replace(items=_chosen(request.items, text, settings))
    most = min(settings.max_array_count, settings.max_array_size)
    if total > most:
        remedy = "submit several arrays, each with other indexes of it (--array=INDEXES)"
        remedy = remedy if total <= settings.max_array_size else "submit its parts"
        raise LimitReached(f"the list has {total} values; an array takes {most} here: {remedy}")
    return request._replace(options={**request.options, "array": f"0-{total - 1}{text}"})


def _chosen(items: Sequence[str], text: str, settings: Settings) -> Sequence[str]:
    """The items at these indexes."""
    try:
        indexes = array_of(text, settings).indexes
    except InputError as error:
        raise InputError(f"--array: {error.message}") from None
    if indexes.last >= len(items):
        raise InputError(
            f"--array: index {indexes.last} is beyond the list: its {len(items)} values have the indexes"
            f" 0-{len(items) - 1}"
        )
    return [items[index] for index in indexes]
