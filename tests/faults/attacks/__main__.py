"""The process of one user: attacks in seeded order until its input ends.

    python -m tests.faults.attacks SEED KINDS FOLDER GATEWAY,... SHEPHERD,...

``KINDS``: of ``shepherd``, ``gateway``, ``job``, ``command``, with commas.
Each attack's name is a line on stdout when it is over.
"""

import resource
import select
import sys
import traceback
from importlib import import_module

from tests.faults.attacks.user import User

_MODULES = {"shepherd": "at_shepherd", "gateway": "at_gateway", "job": "by_job", "command": "by_command"}


def main(seed: str, kinds: str, folder: str, gateways: str, shepherds: str) -> None:
    """Attack until stdin is closed; each attack once, then once more in another order."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    me = User(seed, gateways.split(","), [each for each in shepherds.split(",") if each], folder)
    attacks = [
        attack
        for kind in kinds.split(",")
        for attack in import_module(f"tests.faults.attacks.{_MODULES[kind]}").ATTACKS
    ]
    while True:
        for attack in me.rng.sample(attacks, len(attacks)):
            if select.select([sys.stdin], [], [], 0)[0]:
                return
            try:
                attack(me)
            except Exception:
                sys.stderr.write(f"{attack.__name__} failed\n{traceback.format_exc()}")
            sys.stdout.write(f"{attack.__module__.rpartition('.')[2]}.{attack.__name__}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
