"""Define what one user may see of others' jobs (`Private` in docs/configuration.md). Pure.

``commands``: what was submitted and what steps run, with its arguments, which often hold secrets. ``usage``: CPU time
and memory that jobs used. Owners, operators and root see all. Environments and scripts are never shown to anybody.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from crane_celery.errors import Denied
from crane_celery.history.rows import Row
from crane_celery.service.query.listing import Listed

COMMANDS, USAGE = KINDS = ("commands", "usage")
#: what stands in the place of a command line
HIDDEN = "(private)"
#: kind -> key of a row -> what stands there
_KEYS: dict[str, dict[str, Any]] = {
    COMMANDS: {"command": HIDDEN},
    USAGE: {"cpu_s": None, "memory_peak": None},
}


class Viewer(NamedTuple):
    """Somebody who asks, and what is hidden from them of others' jobs: keys of rows and what stands there."""

    uid: int
    hidden: Mapping[str, Any]

    def rows(self, found: Iterable[Row]) -> list[Row]:
        """Return rows as they may be seen, the steps in them too."""
        return [self.row(each, each.get("uid")) for each in found] if self.hidden else list(found)

    def listed(self, found: Listed) -> Listed:
        """Return a listing as it may be seen."""
        return found._replace(rows=self.rows(found.rows))

    def row(self, row: Row, owner: object) -> Row:
        """Return a row of this owner as it may be seen."""
        if not self.hidden or owner == self.uid:
            return row
        seen = {**row, **{key: it for key, it in self.hidden.items() if row.get(key) or (it is None and key in row)}}
        if "steps" in row:
            seen["steps"] = [self.row(step, owner) for step in row["steps"]]
        return seen

    def usage(self, groups: list[Row]) -> list[Row]:
        """Return what jobs used, where it may be seen. Raises Denied where none of it may."""
        seen = [each for each in groups if each["uid"] == self.uid] if "cpu_s" in self.hidden else groups
        if groups and not seen:
            raise Denied(
                f"what jobs of {groups[0]['user']} used is private here: they and operators see it (Private: [usage])"
            )
        return self.rows(seen)

    def table(self, found: Row, keys: Iterable[str]) -> Row:
        """Return a listing by columns as it may be seen; it has the column ``uid``. ``keys``: the columns wanted."""
        same, each = dict(found["same"]), dict(found["each"])

        def column(key: str) -> list[Any]:
            return each[key] if key in each else [same.pop(key)] * found["count"]

        owners = column("uid")
        each["uid"] = owners
        for key, instead in self.hidden.items():
            if key in same or key in each:
                values = column(key)
                each[key] = [v if not v or uid == self.uid else instead for v, uid in zip(values, owners, strict=True)]
        if "uid" not in keys:
            del each["uid"]
        return {**found, "same": same, "each": each}


#: who sees all
ALL = Viewer(0, {})


def viewer(uid: int, private: Iterable[str], *, privileged: bool) -> Viewer:
    """Return what this user sees where these kinds are private."""
    return Viewer(uid, {} if privileged else {key: it for kind in private for key, it in _KEYS[kind].items()})
