"""A request as the verbs get it."""

import socket
from typing import Any, NamedTuple

from crane_celery.gateway.budgets import Turn
from crane_celery.gateway.waiters import Waiters
from crane_celery.service.shared.caller import Caller


class Request(NamedTuple):
    """One request, its outer shape checked."""

    verb: str
    args: dict[str, Any]
    caller: Caller
    sock: socket.socket
    waiters: Waiters
    turn: Turn
