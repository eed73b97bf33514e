"""Define what the in-memory twin wants of runs that nodes have: stops and orders, said by every heartbeat until
they end."""

from __future__ import annotations

from collections.abc import Mapping

from crane_celery.grammar.ranges import RangeSet
from crane_celery.model.job import Element, Job
from crane_celery.model.states import HOLDING, State
from crane_celery.store.api import NOBODY, Wanted
from crane_celery.store.memory.log import Log


class Desired:
    """Kills and orders by node."""

    def __init__(self, log: Log) -> None:
        """Nothing is wanted."""
        self.log = log
        self.kills: dict[str, dict[tuple[int, int], int]] = {}
        self.orders: dict[str, dict[tuple[int, int], dict[str, float]]] = {}
        #: who asked that a run be suspended or go on
        self.ordered: dict[tuple[int, int], int] = {}

    def stop(self, job: Job, chosen: RangeSet, signal: int, uid: int) -> list[int]:
        """Have these ranks stopped, as far as they run; their ids."""
        told, rows = [], []
        for element in self.log.live(job):
            if element.rank not in chosen:
                continue
            told.append(element.id)
            node, name = element.allocation[0].node, (element.id, element.run)
            kills = self.kills.setdefault(node, {})
            if signal == 0 and element.cancelled:
                continue
            if signal == 0 or (signal == 9 and name not in kills):
                kills[name] = signal
            rows.append([*name, node, signal])
        if rows:
            self.log.append(("kill", {"uid": uid, "rows": rows}))
        return told

    def stop_for(self, runs: list[Element], then: str, by: Mapping[str, int]) -> list[int]:
        """Have runs stopped, so that they run again or are held; their ids."""
        rows = []
        for e in sorted(runs, key=lambda e: e.id):
            if not e.cancelled:
                node = e.allocation[0].node
                self.kills.setdefault(node, {})[e.id, e.run] = 0
                rows.append([e.id, e.run, node, 0])
        if rows:
            self.log.append(("kill", {**by, "then": then, "rows": rows}))
        return [e.id for e in runs]

    def order(self, id: int, run: int, wanted: Wanted, uid: int = NOBODY) -> bool:
        """Say what is wanted of a run from now on. See store.api."""
        e = self.log.records.elements.get(id)
        if not e or e.run != run or e.state not in HOLDING:
            return False
        node = e.allocation[0].node
        said = self.orders.get(node, {}).get((id, run), {})
        if wanted == {"suspend": 0} and e.state is not State.SUSPENDED and not said.get("suspend"):
            return False
        if "suspend" in wanted and uid >= 0:
            self.ordered[id, run] = uid
        orders = self.orders.setdefault(node, {})
        orders[id, run] = dict(sorted({**said, **wanted}.items()))
        self.log.append(("order", {"rows": [[id, run, node, orders[id, run]]]}))
        return True
