"""``--watch``: a listing shown again whenever it changes. The gateway tells of changes; nobody polls."""

from __future__ import annotations

import contextlib
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    #: ask the gateway: (verb, arguments) -> value
    Ask = Callable[[str, dict[str, Any]], Any]


def watched(show: Callable[[Ask], object]) -> int:
    """Show now, and again at each change of the answer to the first question that ``show`` asks; 0 at Ctrl-C.

    A gateway that goes away is waited for, as by any command. Raises Unreachable when it stays away.
    """
    with contextlib.suppress(KeyboardInterrupt):
        if not sys.stdout.isatty():
            _watch(show, _below)
            return 0
        from cli.common.screen import Screen, caught

        with Screen(sys.stdout.fileno()) as screen:
            _watch(show, lambda draw: screen.draw([_now(), *caught(draw)]))
    return 0


def _watch(show: Callable[[Ask], object], draw: Callable[[Callable[[], object]], None]) -> None:
    """``draw`` what ``show`` writes, as often as its first answer changes."""
    from crane_celery.errors import Unreachable
    from crane_celery.gateway.client import call, follow

    questions: list[tuple[str, dict[str, Any]]] = []
    last: list[Any] = []

    def ask(verb: str, args: dict[str, Any]) -> Any:
        questions.append((verb, args))
        answer = call(verb, args)
        last.append(answer)
        return answer

    def news(answer: Any) -> None:
        heard.append(True)
        if answer != last[0]:
            last[0] = answer
            draw(lambda: show(lambda verb, args: answer if verb == questions[0][0] else call(verb, args)))

    heard = [True]
    draw(lambda: show(ask))
    while heard:  # a lost connection is made anew as long as it brought anything
        heard.clear()
        try:
            follow("watch", {"verb": questions[0][0], "args": questions[0][1]}, news)
        except Unreachable:
            if not heard:
                raise


def _below(show: Callable[[], object]) -> None:
    """Below what was there, under the moment of it."""
    sys.stdout.write(f"{_now()}\n")
    show()
    sys.stdout.flush()


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
