"""The configuration file: what it may say, and how a mistake in it is named."""

import os
import textwrap
from pathlib import Path

import pytest

from crane_celery.errors import ConfigError
from crane_celery.settings import Settings, config_path, load, parse, prepare_run_dir, run_dir_of
from crane_celery.settings.keys import KEYS
from crane_celery.settings.place import SYSTEM_HOME, SYSTEM_RUN

FULL = """\
ClusterName: blue
ServerUrl: redis://10.0.0.1:6379/2
HistoryUrl: postgresql://db/crane
AllowRoot: yes
Nodes:
  - {name: 'cn[01-02]', cpu: 8, memory: 16G, gres: 'gpu:a100:2,fpga:1', features: [fast]}
  - {name: big, cpu: 64, memory: 1T}
Partitions:
  - {name: debug, nodes: 'cn[01-02]', DefaultTime: 10, MaxTime: 1:00:00, priority: 3}
  - {name: all, nodes: ALL, MaxTime: unlimited, DefaultMemPerCpu: 512M, MaxMemPerNode: 8G}
DefaultPartition: all
NodeTimeout: 2m
KillGrace: 5
Window: 1d
Operators: [alice, '1001']
MaxArraySize: 5000
"""


def read(text: str, environ: dict[str, str] | None = None) -> Settings:
    return parse(textwrap.dedent(text), "/etc/x.yaml", environ or {"CRANE_HOME": "/srv/crane"})


def test_every_key_reaches_its_field() -> None:
    got = read(FULL)
    assert (got.cluster, got.prefix, got.server_url, got.embedded) == (
        "blue",
        "{blue}",
        "redis://10.0.0.1:6379/2",
        False,
    )
    assert list(got.nodes) == ["cn01", "cn02", "big"]
    assert got.nodes["cn02"].gres == {"gpu:a100": 2, "fpga": 1}
    assert got.nodes["cn01"].memory == 16 << 30
    debug, everything = got.partitions["debug"], got.partitions["all"]
    assert (debug.nodes, debug.default_time, debug.max_time, debug.priority) == (("cn01", "cn02"), 600, 3600, 3)
    assert everything.nodes == ("cn01", "cn02", "big")
    assert (everything.max_time, everything.default_memory_per_cpu) == (None, 512 << 20)
    assert got.default_partition == "all"
    assert (got.node_timeout_s, got.kill_grace_s, got.window_s) == (120.0, 5.0, 86400.0)
    assert got.operators == ("alice", "1001")
    assert got.allow_root is True


def test_an_empty_file_is_a_cluster_without_nodes() -> None:
    got = read("")
    assert got.nodes == {}
    assert list(got.partitions) == ["main"]
    assert got.embedded
    assert got.server_url == "unix:///srv/crane/run/server/server.sock"
    assert got.history_url == "sqlite:////srv/crane/history.db"
    assert set(got.environ.values()) == {"default"}


def test_it_is_told_where_each_value_comes_from() -> None:
    got = read(FULL)
    assert got.environ["AllowRoot"] == "/etc/x.yaml:4"
    assert got.environ["Signing"] == "default"
    assert set(got.environ) == set(KEYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Clustername: x", "/etc/x.yaml:1: Clustername: unknown key; did you mean 'ClusterName'?"),
        ("AllowRoot: maybe", "/etc/x.yaml:1: AllowRoot: 'maybe' is neither true nor false"),
        ("\nNodes: 3", "/etc/x.yaml:2: Nodes: write a list, not '3'"),
        (
            "Nodes:\n- {name: a, cpu: x, memory: 1G}",
            "/etc/x.yaml:2: Nodes[0].cpu: 'x' is no whole number from 1 to 65536",
        ),
        ("Nodes:\n- {name: a, cpu: 1}", "/etc/x.yaml:2: Nodes[0]: needs memory"),
        ("Nodes:\n- {name: a, cpu: 1, memory: 1GX}", "/etc/x.yaml:2: Nodes[0].memory: bad memory size '1GX'"),
        ("Nodes:\n- {name: '../x', cpu: 1, memory: 1G}", "/etc/x.yaml:2: Nodes[0].name: bad host list"),
        (
            "Nodes:\n- {name: a, cpu: 1, memory: 1G}\n- {name: a, cpu: 1, memory: 1G}",
            "/etc/x.yaml:3: Nodes[1].name: node 'a' is defined twice",
        ),
        ("Partitions:\n- {name: p, nodes: n9}", "/etc/x.yaml:2: Partitions[0].nodes: no node 'n9' is defined"),
        ("Partitions: []", "/etc/x.yaml:1: Partitions: define one partition at least"),
        ("DefaultPartition: q", "/etc/x.yaml:1: DefaultPartition: no partition 'q'"),
        ("AllowRoot: true\nAllowRoot: true", "/etc/x.yaml:2: AllowRoot: stands twice; the first is at line 1"),
        ("ServerUrl: http://x", "/etc/x.yaml:1: ServerUrl: write a URL with one of redis://"),
        ("RunDir: relative", "/etc/x.yaml:1: RunDir: 'relative': write an absolute path"),
        ("RunDir: '/with a blank'", "/etc/x.yaml:1: RunDir: '/with a blank': write a short path"),
        ("ClusterName:", "/etc/x.yaml:1: ClusterName: write one value, not nothing"),
        ("Cgroup: v3", "/etc/x.yaml:1: Cgroup: 'v3' is none of auto v2 v1 none"),
        (
            "Priority: {WeightQoS: 1000}",
            "/etc/x.yaml:1: Priority.WeightQoS: this weight would do nothing: this",
        ),
        (
            "Priority: {WeightPartition: 1}",
            "/etc/x.yaml:1: Priority.WeightPartition: this weight would do nothing",
        ),
        ("A: [", "/etc/x.yaml:1: not YAML"),
        ("- a", "/etc/x.yaml:1: : write 'key: value' lines"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.message.startswith(message)


def test_the_file_is_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").touch()
    assert config_path({"CRANE_HOME": str(home)}) == str(home / "config.yaml")
    assert config_path({"CRANE_HOME": str(home), "CRANE_CONFIG": "/c.yaml"}) == "/c.yaml"
    with pytest.raises(ConfigError, match="crane up"):
        config_path({"CRANE_HOME": str(tmp_path)})


def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "none.yaml"))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(str(tmp_path / "binary.yaml"))


def test_the_systems_configuration_has_the_systems_places() -> None:
    got = parse("", "/etc/crane/config.yaml", {})
    assert (got.home, got.run_dir) == (SYSTEM_HOME, SYSTEM_RUN)


def test_two_homes_never_share_cgroups() -> None:
    one, two = (parse("", f"{home}/config.yaml", {"CRANE_HOME": home}) for home in ("/a", "/b"))
    assert one.group_root != two.group_root


@pytest.mark.parametrize("name", ["with a blank", "x" * 80])
def test_a_long_or_odd_home_gets_a_short_run_directory(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    run = run_dir_of(str(home))
    assert run.startswith(f"/tmp/crane-{os.getuid()}-")
    try:
        prepare_run_dir(str(home), run)
        prepare_run_dir(str(home), run)
        assert os.path.realpath(home / "run") == run
        assert run_dir_of(str(home)) == run
    finally:
        os.rmdir(run)


def test_a_run_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "open"
    run.mkdir()
    run.chmod(0o777)
    with pytest.raises(ConfigError, match="ours alone"):
        prepare_run_dir(str(tmp_path), str(run))


@pytest.mark.parametrize("depth", [500, 5_000, 50_000])
def test_deep_nesting_is_said_and_no_traceback(depth: int) -> None:
    with pytest.raises(ConfigError, match=r"/h/config.yaml:1: .*nested too deeply"):
        parse("Nodes: " + "[" * depth + "]" * depth, "/h/config.yaml", {"CRANE_HOME": "/h"})


@pytest.mark.parametrize(
    ("text", "private"), [("", ("commands",)), ("Private: []", ()), ("Private: [usage]", ("usage",))]
)
def test_what_is_private(text: str, private: tuple[str, ...]) -> None:
    assert parse(text, "/h/config.yaml", {"CRANE_HOME": "/h"}).private == private
    with pytest.raises(ConfigError, match=r"Private\[0\]: 'comands' is none of commands, usage.*commands"):
        parse("Private: [comands]", "/h/config.yaml", {"CRANE_HOME": "/h"})
