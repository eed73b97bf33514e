"""The agent: what it refuses, what it keeps while the server is away, whom it kills, and when it gives up."""

import base64
import json
import pathlib
from collections import Counter
from typing import Any

import pytest

from crane_celery.model.node import NodeSpec, NodeState
from crane_celery.model.states import NODE_DOWN, RPC, STATUS_LOST, State
from crane_celery.settings.model import Hooks
from crane_celery.wire.launch import Kill
from tests.support.agents import Node, begin, end
from workers.agent.agent import DEAF_S


@pytest.fixture
def node(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node that is registered."""
    return Node(tmp_path, monkeypatch)


def test_a_signed_message_is_launched_once(node: Node) -> None:
    ids = node.started(2)
    message = node.message(*ids)
    node.agent.deliver(*message)
    node.agent.deliver(*message)
    assert node.launched() == ids
    job = next(iter(node.shepherd.said("launch")[0]["jobs"].values()))
    assert (job["argv"][0], job["env"]["A"], job["uid"]) == ("/bin/sh", "b", 0)


@pytest.mark.parametrize("over", [{"node": "n2"}, {"epoch": 99}, {"until": 1.0}])
def test_what_is_not_for_us_now_is_refused(node: Node, over: dict[str, Any]) -> None:
    node.agent.deliver(*node.message(*node.started(), **over))
    assert node.launched() == []


def test_what_the_scheduler_did_not_sign_is_refused(node: Node) -> None:
    text, signature = node.message(*node.started())
    node.agent.deliver(text, "")
    node.agent.deliver(text.replace('"fence":1', '"fence":2'), signature)
    node.agent.deliver(text, base64.b64encode(bytes(64)).decode())
    node.agent.deliver("no message", node.signer.sign("no message"))
    assert node.launched() == []
    node.agent.deliver(text, signature)
    assert len(node.launched()) == 1


def test_a_script_that_is_not_the_signed_one_never_runs(node: Node) -> None:
    [id_] = node.started()
    node.store.accepted.bodies[id_] = b'{"script": "rm -rf /", "argv": [], "env": {}}'
    node.uplink.start()
    node.agent.deliver(*node.message(id_))
    node.store.until(lambda: node.states([id_]) != [State.STARTING])
    node.uplink.stop()
    assert node.launched() == []
    (element,) = node.store.elements([id_])
    assert (element.state, "not the one that was signed" in element.reason) == (State.FAILED, True)


def test_a_script_that_the_store_has_lost_is_a_lost_message(node: Node) -> None:
    [id_] = node.started()
    del node.store.accepted.bodies[id_]
    node.uplink.start()
    node.agent.deliver(*node.message(id_))
    node.store.until(lambda: node.states([id_]) != [State.STARTING])
    node.uplink.stop()
    told = [event for event in node.store.events("0", 0, 1000) if event.kind in ("end", "again")]
    assert [row[5] for event in told for row in event.data["rows"]] == [RPC]


def test_a_body_that_cannot_be_fetched_puts_the_launch_off(node: Node) -> None:
    ids = node.started()
    node.store.away = True
    node.agent.deliver(*node.message(*ids))
    assert node.launched() == []
    node.store.away = False
    node.agent.deliver(*node.message(*ids))
    assert node.launched() == ids


def test_an_outage_under_load_loses_nothing_and_tells_nothing_twice(node: Node) -> None:
    ids = node.started(900)
    node.store.away = True
    node.uplink.start()
    rows = [row for at, id_ in enumerate(ids) for row in (begin(2 * at + 1, id_), end(2 * at + 2, id_, at % 3))]
    for at in range(0, len(rows), 50):
        node.shepherd.reports(*rows[at : at + 50])
    assert not node.shepherd.said("ack")
    node.store.away = False
    node.store.until(lambda: not any(state is State.STARTING for state in node.states(ids)))
    assert node.shepherd.acked.wait(20)
    node.shepherd.reports(*rows)  # as a shepherd does whose acknowledgement was lost
    node.uplink.stop()
    assert [element.code for element in node.store.elements(ids)] == [at % 3 for at in range(900)]
    ended = [row[0] for event in node.store.events("0", 0, 10**6) if event.kind == "end" for row in event.data["rows"]]
    assert Counter(ended) == Counter(ids)
    acks = [frame["seq"] for frame in node.shepherd.said("ack")]
    assert acks == sorted(acks) and acks[-1] == 1800


def test_reports_keep_their_order(node: Node) -> None:
    [id_] = node.started()
    node.store.away = True
    node.uplink.start()
    node.shepherd.reports(begin(1, id_))
    node.shepherd.reports(end(2, id_, 7))
    node.store.away = False
    node.store.until(lambda: node.states([id_]) == [State.FAILED])
    node.uplink.stop()
    assert node.store.elements([id_])[0].began_at == 1000.0 + 5e8


def test_a_written_off_node_joins_again_and_kills_what_is_not_its_own(node: Node) -> None:
    [old] = node.started()
    node.agent.deliver(*node.message(old))
    epoch = node.epoch
    assert node.store.lose(node.fence, "n1", "not heard of") == [old]
    assert node.agent.turn() < 1  # refused: at once again
    node.agent.turn()
    assert node.epoch > epoch
    assert node.shepherd.said("keep")[-1]["live"] == []
    node.uplink.start()
    node.shepherd.reports(end(1, old))
    [new] = node.started()
    node.shepherd.reports(end(2, new))
    node.store.until(lambda: node.states([new]) == [State.COMPLETED])
    node.uplink.stop()
    assert node.store.elements([old])[0].code == NODE_DOWN  # the first that was told counts
    node.agent.deliver(*node.message(*node.started(), epoch=epoch))
    assert node.launched() == [old]


def test_a_new_shepherd_is_told_what_is_live_and_says_what_it_lacks(node: Node) -> None:
    ran, waiting = node.started(2)
    node.uplink.start()
    node.shepherd.reports(begin(1, ran))
    node.store.until(lambda: node.states([ran]) == [State.RUNNING])
    node.shepherd.start()
    node.agent.turn()
    assert sorted(node.shepherd.said("keep")[-1]["live"]) == [[ran, 1], [waiting, 1]]
    node.shepherd.hear(2, {"op": "missing", "rows": [[ran, 1], [waiting, 1]]})
    node.store.until(lambda: node.states([ran]) == [State.FAILED])
    node.uplink.stop()
    assert node.store.elements([ran])[0].code == STATUS_LOST
    assert node.states([waiting]) == [State.STARTING]  # it comes again


def test_what_the_shepherd_has_closed_is_not_waited_for(node: Node) -> None:
    closed, waiting = node.started(2)
    node.uplink.start()
    node.agent.turn()
    node.shepherd.hear(1, {"op": "missing", "rows": [[closed, 1], [waiting, 1]], "closed": [[closed, 1]]})
    node.store.until(lambda: node.states([closed]) == [State.FAILED])
    node.uplink.stop()
    assert node.store.elements([closed])[0].code == STATUS_LOST
    assert node.states([waiting]) == [State.STARTING]


def test_unanswered_leases_are_asked_for_again(node: Node) -> None:
    ids = node.started()
    node.agent.turn()
    assert "nudge" not in {event.kind for event in node.store.events("0", 0, 999)}
    node.clock += 2
    node.agent.turn()
    assert [event.kind for event in node.store.events("0", 0, 999)].count("nudge") == 1
    node.agent.deliver(*node.message(*ids))
    assert node.launched() == ids


def test_a_deaf_worker_ends(node: Node) -> None:
    node.started()
    node.clock += 2
    node.agent.turn()
    node.clock += DEAF_S
    node.agent.turn()
    assert node.given_up == []
    node.agent.deliver("it hears", "")
    node.clock += DEAF_S
    node.agent.turn()
    assert node.given_up == []
    node.clock += 1
    node.agent.turn()
    assert node.given_up == [75]


def test_kills_come_with_heartbeats_and_with_messages(node: Node) -> None:
    ids = node.started(2)
    node.store.cancel(ids[0], "", 0)
    node.agent.turn()
    node.agent.turn()
    assert _kills(node) == [[ids[0], 1, 0]] * 2
    usr1 = Kill(ids[1], 1, 10)
    for _ in range(2):
        node.agent.deliver(*node.message(kills=(usr1,)))
    assert _kills(node)[2:] == [[ids[1], 1, 10]]


def _kills(node: Node) -> list[list[int]]:
    """Runs and signals of all stops that reached the shepherd."""
    return [row[:3] for frame in node.shepherd.said("kill") for row in frame["rows"]]


def test_a_server_that_is_away_stops_no_heartbeat_for_good(node: Node) -> None:
    node.store.away = True
    assert node.agent.turn() == 1
    node.store.away = False
    node.clock += 5
    node.agent.turn()
    found = node.store.node("n1")
    assert found is not None and found.heard_at == node.store.now()


def test_a_failed_prolog_drains_the_node_before_the_end_is_told_unless_an_operator_has(node: Node) -> None:
    id_, other = node.started(2)
    node.uplink.start()
    node.shepherd.reports([1, "d", "prolog /p ended with exit code 1 (job 1)"], end(2, id_))
    node.store.until(lambda: node.states([id_]) == [State.COMPLETED])
    known = node.store.node("n1")
    assert known is not None and (known.state, known.reason) == (
        NodeState.DRAIN,
        "prolog /p ended with exit code 1 (job 1)",
    )
    node.store.set_node("n1", NodeState.DRAIN, "new disk")
    node.shepherd.reports([3, "d", "epilog"], end(4, other))
    node.store.until(lambda: node.states([other]) == [State.COMPLETED])
    node.uplink.stop()
    known = node.store.node("n1")
    assert known is not None and known.reason == "new disk"


def test_hooks_come_with_a_launch_where_they_are_configured(node: Node) -> None:
    node.agent.deliver(*node.message(*node.started()))
    assert next(iter(node.shepherd.said("launch")[0]["jobs"].values()))["hooks"] == {}
    node.agent._place = node.agent._place._replace(hooks=Hooks(prolog="/p", epilog_timeout_s=5.0))
    node.agent.deliver(*node.message(*node.started()))
    made = next(iter(node.shepherd.said("launch")[1]["jobs"].values()))["hooks"]
    assert (made["prolog"], made["epilog"], made["prolog_s"], made["epilog_s"]) == ("/p", "", 60.0, 5.0)


def test_no_job_comes_to_a_node_whose_device_file_is_missing(node: Node, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "gpu0"
    node.place = node.place._replace(devices={"gpu": [str(file)]})
    running, new = node.started(2)
    node.again([[running, 1]])
    assert drained(node) == f"device file {file} of gpu cannot be found: No such file or directory"
    node.uplink.start()
    node.agent.deliver(*node.message(running, new))
    node.store.until(lambda: node.states([new]) != [State.STARTING])
    node.uplink.stop()
    told = [event for event in node.store.events("0", 0, 1000) if event.kind in ("end", "again")]
    assert [(row[0], row[5]) for event in told for row in event.data["rows"]] == [(new, RPC)]  # not what runs already
    assert node.launched() == []
    file.symlink_to("/dev/null")
    node.agent.turn()
    assert drained(node) is None
    node.agent.deliver(*node.message(*(ids := node.started())))
    assert node.launched() == ids
    file.unlink()
    file.touch()
    node.agent.turn()
    assert drained(node) == f"device file {file} of gpu is no device"


def test_an_operator_s_drain_outlasts_a_missing_device_file(node: Node, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "gpu0"
    node.place = node.place._replace(devices={"gpu": [str(file)]})
    node.store.set_node("n1", NodeState.DRAIN, "new disk")
    node.again([])
    assert drained(node) == "new disk"
    file.symlink_to("/dev/null")
    node.agent.turn()
    assert drained(node) == "new disk"


def test_a_run_that_ended_with_another_of_its_nodes_is_ended_here_too(node: Node) -> None:
    node.store.register(NodeSpec(name="n2", cpus=8, memory=1 << 30), "h", "none", "1", "b")
    [alone, wide] = node.started(1) + node.started(1, nodes=("n1", "n2"))
    node.store.lose(node.fence, "n2", "not heard of")
    assert node.agent.turn() < 1
    node.agent.turn()
    assert node.shepherd.said("keep")[-1]["live"] == [[alone, 1]]
    assert node.agent.turn() == 1 and wide > alone


def test_a_guest_is_launched_without_its_script_s_times(node: Node) -> None:
    [id_] = node.started()
    text, _ = node.message(id_)
    value = json.loads(text)
    value["launches"][0][-1] = 1
    text = json.dumps(value)
    node.agent.deliver(text, node.signer.sign(text))
    [frame] = node.shepherd.said("launch")
    [made] = frame["jobs"].values()
    assert (made["hooks"]["place"], made["hooks"]["prolog"], made["limit"]) == (1, "", None)


def drained(node: Node) -> str | None:
    """Why the node takes no jobs; None when it does."""
    known = node.store.node("n1")
    assert known is not None
    return known.reason if known.state is NodeState.DRAIN else None


def test_scripts_go_from_the_spool_when_their_jobs_have_ended(node: Node) -> None:
    stays, goes = node.started(2)
    node.agent.deliver(*node.message(stays, goes))
    node.shepherd.reports(end(1, goes))
    node.agent.turn()
    node.agent.turn()
    assert [path.name.partition(".")[0] for path in node.spool.iterdir()] == [f"job{stays}"]


def test_the_script_of_a_run_that_was_launched_twice_goes_when_its_job_is_over(node: Node) -> None:
    stays, goes = node.started(2)
    node.uplink.start()
    node.agent.deliver(*node.message(stays, goes))
    node.shepherd.reports(end(1, goes))
    node.store.until(lambda: node.states([goes]) == [State.COMPLETED])
    node.uplink.stop()
    node.agent.deliver(*node.message(goes))  # a message that came late: the shepherd has closed it, and says nothing
    for _ in range(60):
        node.agent.turn()
    assert [path.name.partition(".")[0] for path in node.spool.iterdir()] == [f"job{stays}"]


def test_scripts_of_what_the_shepherd_runs_outlive_the_worker(node: Node) -> None:
    [id_] = node.started()
    (node.spool / f"job{id_}.aa.sh").touch()
    (node.spool / "job1000.aa.sh").touch()
    node.again([[id_, 1]])
    vars(node.agent)["_hello"] = {}
    for _ in range(3):
        node.agent.turn()
    assert len(list(node.spool.iterdir())) == 2  # nobody has said what runs
    node.shepherd.start()
    for _ in range(3):
        node.agent.turn()
    assert [path.name for path in node.spool.iterdir()] == [f"job{id_}.aa.sh"]


@pytest.mark.parametrize("by_s", [-3600.0, 3600.0])
def test_a_server_whose_clock_is_set_is_followed_with_the_next_heartbeat(node: Node, by_s: float) -> None:
    node.ahead_s += by_s
    node.clock += 1.0
    node.agent.turn()
    [id_] = node.started()
    node.agent.deliver(*node.message(id_, until=node.store.now() + 1))
    node.agent.deliver(*node.message(*node.started(), until=node.store.now() - 1))
    assert node.launched() == [id_]


def test_a_message_is_good_though_the_registrations_answer_came_late(node: Node) -> None:
    """We are behind the server then, never ahead of it: what is still good for it is still good here."""
    now = node.store.now

    def late() -> float:
        at = now()
        node.clock += 0.5
        return at

    node.store.now = late
    node.again([])
    node.store.now = now
    [id_] = node.started()
    node.agent.deliver(*node.message(id_, until=node.store.now()))
    assert node.launched() == [id_]
