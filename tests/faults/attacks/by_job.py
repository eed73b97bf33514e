"""Jobs that turn against those who started them."""

import os

from tests.faults.attacks.user import User


def stops_its_spawner(me: User) -> None:
    """A job that has its own spawner stand still, and heeds no signal that it can ignore."""
    me.submit(me.job("trap '' TERM INT HUP\nkill -STOP $PPID\nsleep 600", time="0:02"))


def ends_its_spawner(me: User) -> None:
    """A job that kills its own spawner, and lives on."""
    me.submit(me.job("kill -KILL $PPID\nsleep 600", time="0:02"))


def odd_paths(me: User) -> None:
    """Jobs that fail in places of names that are no text, or of very many folders."""
    me.submit(
        {**me.job("exit 3"), "cwd": "/tmp/caf\udce9"},
        me.job("exit 3", output="/".join([str(me.folder), *["d"] * 800, "out"])),
        {**me.job("exit 3"), "script": "#!/bin/sh\n# half of a \ud83d\nexit 3\n"},
        {**me.job("exit 3"), "env": {"PATH": os.defpath, "A\udcff": "\udcff" * 100}},
    )


ATTACKS = (stops_its_spawner, ends_its_spawner, odd_paths)
