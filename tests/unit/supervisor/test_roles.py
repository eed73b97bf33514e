"""The command lines of a cluster's processes, and the configuration that `crane up` writes."""

from cli.admin.config import flatten
from cli.admin.sizes import Sizes, configuration
from crane_celery.settings import parse
from crane_celery.supervisor.roles import MARK, roles

TEXT = configuration("blue", Sizes(nodes=3, cpus=2, memory="1G", gres="gpu:2"), root=False)


def test_what_up_writes_is_what_load_reads() -> None:
    got = parse(TEXT, "/h/config.yaml", {"CRANE_HOME": "/h"})
    assert (got.cluster, list(got.nodes), got.allow_root) == ("blue", ["n1", "n2", "n3"], False)
    assert got.nodes["n3"].gres == {"gpu": 2}
    assert got.default_partition == "main"


def test_each_part_is_started_once_the_server_first() -> None:
    settings = parse(TEXT + "Schedulers: 2\n", "/h/config.yaml", {"CRANE_HOME": "/h"})
    found = roles(
        settings, {"PATH": "/bin", "CRANE_SOCKET": "of a job", "PYTHONPATH": "/x"}, ["/bin/valkey-server", "x.conf"]
    )
    names = ["server", "scheduler", "scheduler.2", "node.n1", "node.n2", "node.n3", "gateway", "recorder"]
    assert [role.name for role in found] == names
    assert all(role.env[MARK] == role.env["CRANE_HOME"] == "/h" for role in found)
    assert all("CRANE_SOCKET" not in role.env for role in found)
    assert all(role.argv[1] == "-I" for role in found[1:])
    assert not [name for role in found for name in role.env if name.startswith("PYTHON")]
    assert [role.env["CRANE_NODE"] for role in found if "CRANE_NODE" in role.env] == ["n1", "n2", "n3"]


def test_a_foreign_server_is_not_started() -> None:
    settings = parse(TEXT + "ServerUrl: redis://h\n", "/h/config.yaml", {"CRANE_HOME": "/h"})
    assert roles(settings, {}, [])[0].name == "scheduler"


def test_passwords_are_not_shown() -> None:
    assert list(flatten("ServerUrl", "redis://user:secret@host/1")) == [("ServerUrl", "redis://user:***@host/1")]
