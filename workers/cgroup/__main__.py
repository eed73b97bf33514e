"""``python -m workers.cgroup explain | remove ROOT_HINT DRIVER NODE...``: for `crane doctor` and `crane down`.

They import no edge, so they ask this program.
``explain`` prints the findings as JSON; ``remove`` kills and removes what is left in the groups of these nodes.
"""

import json
import sys

from workers.cgroup.probe import explain, probe


def main(argv: list[str]) -> int:
    """Do what is asked; 1 when a group would not go."""
    if argv[:1] == ["explain"]:
        sys.stdout.write(json.dumps(explain()) + "\n")
        return 0
    root_hint, driver, *nodes = argv[1:]
    gone = [probe(root_hint, node, want=driver).remove_all() for node in nodes]
    return 0 if all(gone) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
