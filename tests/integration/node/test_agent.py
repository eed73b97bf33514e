"""The agent with a real shepherd: a node that is written off kills what it runs; a dead shepherd costs no exit code."""

import os
import pathlib
import select

import pytest

from crane_celery.model.states import NODE_DOWN, State
from tests.integration.node.herder import Herder, kill
from tests.support.agents import Node, lives

_SAY = "#!/bin/sh\necho $$ > $OUT/pid.$CRANE_JOB_ID; echo x > $OUT/told; read word < $OUT/go; exit 5\n"


@pytest.fixture
def out(node: Herder) -> pathlib.Path:
    """The folder of a node that this test closes; only its clean-up is wanted."""
    for name in ("told", "go"):
        os.mkfifo(node.out / name)
    return node.out


def _begun(host: Node, out: pathlib.Path) -> tuple[int, int]:
    """A job that runs: its id and pid."""
    [id_] = host.started(script=_SAY, env={"OUT": str(out), "PATH": os.defpath})
    host.agent.deliver(*host.message(id_))
    assert (out / "told").read_text() == "x\n"
    return id_, int((out / f"pid.{id_}").read_text())


@pytest.mark.parametrize("node", [(os.geteuid(), "none")], indirect=True)
def test_written_off_while_a_job_runs(node: Herder, out: pathlib.Path) -> None:
    with lives(node.base / "home", node.config) as host:
        id_, pid = _begun(host, out)
        watch, epoch = os.pidfd_open(pid), host.epoch
        assert host.store.lose(host.fence, "n1", "not heard of") == [id_]
        assert select.select([watch], [], [], 30)[0], "it runs on, though the store has given it up"
        os.close(watch)
        host.store.until(lambda: host.epoch > epoch and vars(host.agent)["_epoch"] == host.epoch)
        [new] = host.started()
        host.agent.deliver(*host.message(new))
        host.store.until(lambda: host.states([new]) == [State.COMPLETED])
        assert host.store.elements([id_])[0].code == NODE_DOWN


@pytest.mark.parametrize("node", [(os.geteuid(), "none")], indirect=True)
def test_a_dead_shepherd_and_a_server_that_is_away(node: Herder, out: pathlib.Path) -> None:
    with lives(node.base / "home", node.config) as host:
        id_, _ = _begun(host, out)
        host.store.away = True
        kill(next(node.ours("crane-shepherd")))
        (out / "go").write_text("go\n")
        host.store.away = False
        host.store.until(lambda: host.states([id_]) == [State.FAILED])
        assert host.store.elements([id_])[0].code == 5
