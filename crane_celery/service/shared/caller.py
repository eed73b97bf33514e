"""Decide who asks, as the kernel named them."""

import pwd
from functools import lru_cache
from typing import NamedTuple

from crane_celery.errors import Denied


class Caller(NamedTuple):
    """The other end of a connection."""

    uid: int
    gid: int
    pid: int

    @property
    def user(self) -> str:
        """The login name, or the number where the host knows no name."""
        return user_name(self.uid)


@lru_cache(maxsize=4096)
def user_name(uid: int) -> str:
    """The login name of a uid, or the number as text."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_operator(caller: Caller, operators: tuple[str, ...]) -> bool:
    """Return whether the caller may act on everybody's jobs: root, or named in the configuration."""
    return caller.uid == 0 or caller.user in operators


def admit(caller: Caller, single_user_uid: int | None) -> None:
    """Raise Denied for a stranger on a cluster that one user runs for themself."""
    if single_user_uid is not None and caller.uid != single_user_uid:
        owner = user_name(single_user_uid)
        raise Denied(
            f"this cluster is run by {owner} for {owner} alone: start your own with `crane up`,"
            " or ask for one that root runs"
        )
