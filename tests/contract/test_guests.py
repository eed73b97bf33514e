"""Runs whose other nodes have a part in them: they start when all are ready, and end when all have left."""

from __future__ import annotations

import pytest

from crane_celery.errors import StaleFence
from crane_celery.lifecycle.replay import replay
from crane_celery.model.job import Allocation
from crane_celery.model.states import NODE_DOWN, PROLOG, TERMINATED, State
from crane_celery.store.api import Began, Ended, Report, Start, Store
from tests.contract.world import World, node

_ALL = ("n1", "n2", "n3")


class Wide(World):
    """Three nodes, and a run of all of them."""

    def __init__(self, store: Store, requeue: str = "never", guests: bool = True) -> None:
        super().__init__(store)
        self.epochs = {name: store.register(node(name), "h", "none", "1", "boot-1").epoch for name in _ALL}
        self.job = self.submit(requeue=requeue)
        parts = tuple(Allocation(node=name, cpus=1.0, memory=1) for name in _ALL)
        assert store.start(self.fence, [Start(self.job, 0, 1, parts, guests)]) == [""]

    def ready(self, name: str) -> None:
        """A node's prolog went well; of the first: the script has begun."""
        self.store.report(name, self.epochs[name], Report([Began(self.job, 1, self.store.now())]))

    def leaves(self, name: str, state: str = "Cancelled", code: int = TERMINATED) -> None:
        """Nothing is left of it on a node."""
        row = Ended(self.job, 1, state, code, 0.0, self.store.now(), f"of {name}", 0.5, 7)
        self.store.report(name, self.epochs[name], Report((), [row]))

    def told(self, name: str) -> tuple[list[tuple[int, int, int]], list[float]]:
        """Return what a node's heartbeat tells: stops, and whether the script may go."""
        beat = self.store.heartbeat(name, self.epochs[name], 3600)
        return beat.kills, [wanted.get("go", 0) for *_, wanted in beat.orders]

    def leased(self) -> list[str]:
        """Nodes of which an answer is awaited."""
        return [n for n in _ALL if self.store.heartbeat(n, self.epochs[n], -1).unanswered == [(self.job, 1)]]

    @property
    def state(self) -> tuple[State, int, str]:
        """Return how the run is, or ended."""
        [element] = self.store.elements([self.job])
        return element.state, element.code, element.reason


@pytest.fixture
def wide(store: Store) -> Wide:
    """A run that has just been given to its nodes."""
    return Wide(store)


def test_the_script_may_go_when_all_guests_are_ready(wide: Wide) -> None:
    assert wide.leased() == ["n1", "n2", "n3"]
    wide.ready("n2")
    wide.ready("n2")
    assert (wide.leased(), wide.told("n1")) == (["n1", "n3"], ([], []))
    wide.ready("n3")
    assert (wide.leased(), wide.told("n1")) == (["n1"], ([], [1]))
    assert wide.kinds()[-1] == "order" and wide.state[0] is State.STARTING
    wide.ready("n1")
    assert wide.leased() == [] and wide.state[0] is State.RUNNING


def test_it_ends_as_its_script_did_when_all_have_left(wide: Wide) -> None:
    for name in ("n2", "n3", "n1"):
        wide.ready(name)
    wide.leaves("n1", "Failed", 3)
    wide.leaves("n1", "Failed", 9)
    assert wide.state[0] is State.COMPLETING and wide.store.job(wide.job).ended == 0
    assert replay(wide.store.events("0", 0, 100)).elements[wide.job].state is State.COMPLETING
    assert [wide.told(name)[0] for name in _ALL] == [[], [(wide.job, 1, 0)], [(wide.job, 1, 0)]]
    assert wide.kinds()[-2:] == ["kill_step", "move"]
    wide.leaves("n3")
    assert wide.told("n3") == ([], []) and wide.state[0] is State.COMPLETING
    wide.leaves("n2")
    assert wide.state == (State.FAILED, 3, "of n1")
    assert [wide.told(name) for name in _ALL] == [([], [])] * 3
    [element] = wide.store.elements([wide.job])
    assert element.began_at > 0 and wide.store.job(wide.job).ended == 1


def test_a_guest_whose_prolog_fails_fails_the_run(wide: Wide) -> None:
    wide.ready("n3")
    wide.leaves("n2", "Failed", PROLOG)
    assert [wide.told(name)[0] for name in _ALL] == [[(wide.job, 1, 0)], [], [(wide.job, 1, 0)]]
    wide.leaves("n1")
    wide.leaves("n3")
    assert wide.state == (State.FAILED, PROLOG, "of n2")
    assert wide.leased() == []


def test_the_script_s_own_prolog_fails(wide: Wide) -> None:
    wide.leaves("n1", "Failed", PROLOG)
    wide.leaves("n2", "Failed", PROLOG)
    wide.leaves("n3")
    assert wide.state == (State.FAILED, PROLOG, "of n1")


def test_a_guest_that_is_lost_sight_of_while_the_script_runs_does_not_fail_it(wide: Wide) -> None:
    for name in ("n2", "n3", "n1"):
        wide.ready(name)
    wide.leaves("n2", "Failed", 350)
    assert wide.told("n1")[0] == [] and wide.state[0] is State.RUNNING
    wide.leaves("n3", "Cancelled")
    wide.leaves("n1", "Completed", 0)
    assert wide.state[:2] == (State.COMPLETED, 0)


def test_it_runs_again_by_the_policy_of_any_other(store: Store) -> None:
    wide = Wide(store, requeue="failure")
    wide.leaves("n2", "Failed", PROLOG)
    wide.leaves("n1")
    assert store.job(wide.job).pending == ""
    wide.leaves("n3")
    assert store.job(wide.job).pending == "0" and wide.kinds()[-1] == "again"


def test_a_cancelled_run_ends_when_all_have_left(wide: Wide) -> None:
    wide.store.cancel(wide.job, "", 0)
    assert [wide.told(name)[0] for name in _ALL] == [[(wide.job, 1, 0)], [], []]
    wide.leaves("n1")
    wide.leaves("n2")
    wide.leaves("n3")
    assert wide.state[:2] == (State.CANCELLED, TERMINATED)
    assert [wide.told(name) for name in _ALL] == [([], [])] * 3


def test_nothing_is_wanted_of_a_run_whose_last_guest_is_ready_and_leaves_in_one_report(wide: Wide) -> None:
    wide.ready("n2")
    wide.leaves("n1", "Failed", PROLOG)
    wide.leaves("n2")
    now = wide.store.now()
    ended = Ended(wide.job, 1, "Cancelled", TERMINATED, 0.0, now)
    wide.store.report("n3", wide.epochs["n3"], Report([Began(wide.job, 1, now)], [ended]))
    assert wide.state[:2] == (State.FAILED, PROLOG)
    assert [wide.told(name) for name in _ALL] == [([], [])] * 3


@pytest.mark.parametrize("guests", [True, False])
@pytest.mark.parametrize("lost", ["n1", "n3"])
def test_with_a_node_that_is_lost_it_ends_and_the_others_compare(store: Store, guests: bool, lost: str) -> None:
    wide = Wide(store, guests=guests)
    wide.ready("n2")
    store.lose(wide.fence, lost, "quiet")
    assert wide.state[:2] == (State.FAILED, NODE_DOWN)
    for name in [name for name in _ALL if name != lost]:
        with pytest.raises(StaleFence):
            wide.told(name)
        answer = store.register(node(name), "h", "none", "1", "boot-1")
        assert answer == (wide.epochs[name], [])
        assert wide.told(name) == ([], []) and store.heartbeat(name, answer.epoch, -1).unanswered == []
    wide.leaves("n2")  # what the comparison has ended
    assert wide.state[:2] == (State.FAILED, NODE_DOWN)


def test_without_guests_another_node_s_word_counts_for_nothing(store: Store) -> None:
    wide = Wide(store, guests=False)
    assert wide.leased() == ["n1"]
    wide.ready("n2")
    wide.leaves("n2")
    assert wide.state[0] is State.STARTING and wide.told("n1") == ([], [])
