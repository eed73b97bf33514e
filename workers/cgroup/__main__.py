"""``python -m workers.cgroup explain | isolates DRIVER | remove ROOT_HINT DRIVER NODE...``.

`crane doctor` and `crane down` import no edge, so they ask this program.
``explain`` prints the findings as JSON; ``isolates`` ends with 0 where device files can be kept from jobs; ``remove``
kills and removes what is left in the groups of these nodes.
"""

import json
import sys

from workers.cgroup.probe import explain, isolates, probe


def main(argv: list[str]) -> int:
    """Do what is asked; 1 when a group would not go."""
    if argv[:1] == ["explain"]:
        sys.stdout.write(json.dumps(explain()) + "\n")
        return 0
    if argv[:1] == ["isolates"]:
        return 0 if isolates(*argv[1:]) else 1
    root_hint, driver, *nodes = argv[1:]
    gone = [probe(root_hint, node, want=driver, devices=True).remove_all() for node in nodes]
    return 0 if all(gone) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
