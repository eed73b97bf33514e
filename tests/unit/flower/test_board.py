"""Test what Flower is told."""

from dataclasses import replace

from crane_celery.flower_bridge.board import Board, Message
from crane_celery.flower_bridge.bridge import Publisher
from crane_celery.model.asjson import job_to_json, node_to_json, step_to_json
from crane_celery.model.event import Event
from crane_celery.model.job import Allocation, Element, Job, JobSpec, StepRow
from crane_celery.model.node import Node, NodeSpec, NodeState
from crane_celery.model.states import State
from crane_celery.store.api import Snapshot

ARRAY = Job(
    id=36,
    spec=JobSpec(name="sim", uid=1, gid=1, user="ada", array="1-7:2", command="sim.sh --fast"),
    count=4,
    submitted_at=5.0,
    pending="1-3",
)
UP = Node(spec=NodeSpec(name="n1", cpus=4, memory=1), state=NodeState.UP, version="0.1", host="h")
RUNNING = Element(
    id=36,
    job=36,
    rank=0,
    run=2,
    state=State.RUNNING,
    allocation=(Allocation(node="n1", cpus=1, memory=1),),
    leased_at=6.0,
    began_at=7.0,
)


def board(*elements: Element) -> Board:
    return Board(Snapshot("1-0", 9.0, [ARRAY], list(elements), [UP]))


def tell(on: Board, kind: str, at: float = 9.0, **data: object) -> list[Message]:
    return list(on.take(Event("2-0", at, kind, data)))


def types(messages: list[Message]) -> list[tuple[str, str]]:
    return [(each.type, each.fields.get("uuid", each.hostname)) for each in messages]


def test_it_opens_with_what_is_true_now() -> None:
    told = list(board(RUNNING).opening())
    assert types(told) == [("worker-online", "crane@n1"), ("task-received", "36_1.1#2"), ("task-started", "36_1.1#2")]
    assert told[0].fields["active"] == 1
    assert told[2].fields["timestamp"] == 7.0
    assert (told[1].fields["name"], told[1].fields["args"], told[1].hostname) == ("sim", "sim.sh --fast", "crane@n1")


def test_a_run_that_is_followed_by_another() -> None:
    """It has ended, and the next one bears the job's name, also where the job had ended meanwhile."""
    on = board()
    rows = [[37, 36, 1, 1, [["n1", 1.0, 1, {}]]]]
    tell(on, "start", at=8.0, fence=1, rows=rows)
    again = [37, 36, 1, 1, "Failed", 3, 8.5, 10.0, "", 0.1, 1, True]
    assert types(tell(on, "again", node="n1", rows=[again])) == [("task-started", "36_3.1"), ("task-failed", "36_3.1")]
    tell(on, "cancel", job=36, ranks="1-3", uid=1, done=True)
    tell(on, "revive", job=job_to_json(ARRAY), ranks="1-3", held=False)
    [told] = tell(on, "start", at=11.0, fence=1, rows=[[37, 36, 1, 2, [["n1", 1.0, 1, {}]]]])
    assert (told.fields["uuid"], told.fields["name"]) == ("36_3.1#2", "sim")


def test_a_life() -> None:
    on = board()
    told = tell(on, "start", at=8.0, fence=1, rows=[[37, 36, 1, 1, [["n1", 1.0, 1, {}]]]])
    told += tell(on, "begin", node="n1", rows=[[37, 36, 1, 8.5]])
    told += tell(on, "end", node="n1", rows=[[37, 36, 1, 1, "Completed", 0, 8.5, 10.0, "", 0.1, 1, 0, False]])
    assert types(told) == [(f"task-{kind}", "36_3.1") for kind in ("received", "started", "succeeded")]
    assert (told[0].fields["timestamp"], told[2].fields["runtime"], told[2].fields["result"]) == (8.0, 1.5, "0:0")
    assert not on.running


def test_an_end_without_a_beginning_told_tells_both() -> None:
    on = board()
    tell(on, "start", rows=[[37, 36, 1, 1, [["n1", 1.0, 1, {}]]]])
    told = tell(on, "end", node="n1", rows=[[37, 36, 1, 1, "OutOfMemory", 265, 8.5, 10.0, "", 0.1, 1, True]])
    assert types(told) == [("task-started", "36_3.1"), ("task-failed", "36_3.1")]
    assert told[1].fields["exception"] == "OutOfMemory 0:9"


def test_memory_deaths_are_told_with_the_result() -> None:
    on = board()
    for id, rank, end in ((37, 1, ("Completed", 0)), (38, 2, ("OutOfMemory", 137))):
        tell(on, "start", rows=[[id, 36, rank, 1, [["n1", 1.0, 1, {}]]]])
        told = tell(on, "end", node="n1", rows=[[id, 36, rank, 1, *end, 8.5, 10.0, "", 0.1, 1, rank, True]])
        shown = told[-1].fields.get("result") or told[-1].fields["exception"]
        assert shown.endswith(
            ("0:0 1 process was killed: out of memory", "137:0 2 processes were killed: out of memory")
        )


def test_a_cancelled_run_is_revoked() -> None:
    told = tell(board(RUNNING), "end", node="n1", rows=[[36, 36, 0, 2, "Cancelled", 271, 7.0, 10.0, "", 0.1, 1, False]])
    assert types(told) == [("task-revoked", "36_1.1#2")]
    assert (told[0].fields["terminated"], told[0].fields["signum"]) == (True, 15)


def test_steps_are_children_of_the_primary_one() -> None:
    on = board(RUNNING)
    step = StepRow(job=36, run=2, step=2, name="prep", state=State.RUNNING, node="n1", command="prep x", began_at=8.0)
    told = tell(on, "step", node="n1", rows=[step_to_json(step)])
    ended = StepRow(
        job=36, run=2, step=2, name="prep", state=State.FAILED, node="n1", began_at=8.0, ended_at=9.0, code=3
    )
    told += tell(on, "step", node="n1", rows=[step_to_json(ended)])
    assert types(told) == [(f"task-{kind}", "36_1.2#2") for kind in ("received", "started", "failed")]
    assert {each.fields["parent_id"] for each in told} == {"36_1.1#2"}
    assert {each.fields["name"] for each in told} == {"sim"}
    assert (told[0].fields["args"], told[2].fields["exception"]) == ("prep x", "Failed 3:0")


def test_nodes_come_and_go() -> None:
    on = board()
    down = Node(spec=UP.spec, state=NodeState.DOWN)
    assert types(tell(on, "node", node=node_to_json(down))) == [("worker-offline", "crane@n1")]
    assert not list(on.heartbeats())
    assert types(tell(on, "node", node=node_to_json(UP))) == [("worker-online", "crane@n1")]
    assert not tell(on, "node", node=node_to_json(Node(spec=UP.spec, state=NodeState.DRAIN)))
    assert types(list(on.heartbeats())) == [("worker-heartbeat", "crane@n1")]


def test_a_run_whose_end_was_not_heard_of() -> None:
    on = board(RUNNING)
    assert types(list(on.forget((36, 2), None))) == [("task-failed", "36_1.1#2")]
    assert not on.running
    assert not list(on.forget((36, 2), None))


def test_jobs_submitted_later_have_their_name() -> None:
    on = board()
    later = Job(id=50, spec=JobSpec(name="later", uid=1, gid=1, user="ada"), count=1, submitted_at=9.0, pending="0")
    assert not tell(on, "submit", job=job_to_json(later))
    (told,) = tell(on, "start", rows=[[50, 50, 0, 1, [["n1", 1.0, 1, {}]]]])
    assert (told.fields["uuid"], told.fields["name"]) == ("50.1", "later")


class Wire:
    """Record of what a dispatcher sends."""

    def __init__(self) -> None:
        self.hostname = ""
        self.sent: list[dict[str, object]] = []

    def send(self, kind: str, **fields: object) -> None:
        self.sent.append({"kind": kind, **fields})

    def flush(self) -> None:
        """Nothing waits."""


def test_no_foreign_text_reaches_the_page_raw() -> None:
    evil = "a\n\x1b]0;t\x07\u202e\udce9"
    job = replace(ARRAY, spec=replace(ARRAY.spec, name=evil, command=evil))
    on = Board(Snapshot("1-0", 9.0, [job], [RUNNING], [replace(UP, host=evil, version=evil)]))
    step = StepRow(job=36, run=2, step=2, name=evil, command=evil, node="n1", state=State.FAILED, ended_at=8.0)
    publisher = Publisher.__new__(Publisher)
    wire = Wire()
    vars(publisher)["_dispatcher"] = wire
    publisher.send([*on.opening(), *tell(on, "step", node="n1", rows=[step_to_json(step)])])
    texts = [value for fields in wire.sent for value in fields.values() if isinstance(value, str)]
    assert all(text.isprintable() for text in texts) and r"a\x0a\x1b]0;t\x07\u202e\udce9" in texts


def test_the_time_of_a_suspension_is_no_run_time() -> None:
    on = board(replace(RUNNING, suspended_at=8.0, state=State.SUSPENDED, suspended_s=0.5))
    assert tell(on, "move", node="n1", rows=[[36, 36, 2, "Running", 10.0, 0]]) == []
    assert tell(on, "move", node="n1", rows=[[36, 36, 2, "Suspended", 11.0]]) == []
    [told] = tell(on, "end", node="n1", rows=[[36, 36, 0, 2, "Completed", 0, 7.0, 20.0, "", 0.1, 1, False]])
    assert told.fields["runtime"] == 1.5
