"""Finding our own groups: hosts of every kind, containers, paths with blanks."""

import pytest

from workers.cgroup.mounts import Host, Mount, locate, own_dir, parse_cgroup, parse_mountinfo

HYBRID = """\
23 1 0:22 / / rw,relatime - ext4 /dev/vda rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
HYBRID_OWN = "5:memory:/a/b c\n2:cpu,cpuacct:/\n1:name=systemd:/user.slice\n0::/user.slice\n"


def mount(root: str, point: str = "/cg") -> Mount:
    return Mount(root, point, 2, frozenset(), writable=True)


def test_hybrid_host_gives_a_directory_per_controller_and_the_v2_tree() -> None:
    memory = "/sys/fs/cgroup/memory/a/b c"
    joint = "/sys/fs/cgroup/cpu,cpuacct"
    named = "/sys/fs/cgroup/systemd/user.slice"
    v1 = {"memory": memory, "cpu": joint, "cpuacct": joint, "name=systemd": named}
    assert locate(HYBRID, HYBRID_OWN) == Host("/sys/fs/cgroup/unified/user.slice", v1)


def test_pure_v2_host() -> None:
    info = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    assert locate(info, "0::/system.slice/crane.service\n") == Host("/sys/fs/cgroup/system.slice/crane.service", {})


def test_read_only_mount_is_of_no_use() -> None:
    info = "30 24 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n31 24 0:27 / /m rw - cgroup cgroup ro,memory\n"
    assert locate(info, "2:memory:/\n0::/\n") == Host(None, {})


def test_container_that_shares_the_hosts_namespace_sees_its_group_as_the_mounts_root() -> None:
    info = "9 8 0:3 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    assert locate(info, "4:memory:/docker/abc\n").v1 == {"memory": "/sys/fs/cgroup/memory"}
    assert locate(info, "4:memory:/docker/abc/job\n").v1 == {"memory": "/sys/fs/cgroup/memory/job"}


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("/", "/", "/cg"),
        ("/", "/a", "/cg/a"),
        ("/a", "/a", "/cg"),
        ("/a", "/a/b", "/cg/b"),
        ("/a", "/ab", None),  # a sibling whose name begins alike
        ("/a", "/b", None),  # elsewhere: this mount does not show us
        ("/..", "/", None),  # a namespace of our own under the host's tree: names cannot tell
        ("/", "/../x", None),  # outside of our namespace
    ],
)
def test_own_directory_within_a_mount(root: str, path: str, expected: str | None) -> None:
    assert own_dir(mount(root), path) == expected


def test_escapes_of_mountinfo_are_undone() -> None:
    (found,) = parse_mountinfo("1 0 0:1 /my\\040job /mnt/a\\134b\\011c rw - cgroup2 none rw\n")
    assert (found.root, found.point) == ("/my job", "/mnt/a\\b\tc")


def test_optional_fields_of_any_number_are_skipped() -> None:
    (found,) = parse_mountinfo("1 0 0:1 / /m rw shared:1 master:2 propagate_from:3 - cgroup cgroup rw,pids\n")
    assert found.controllers == {"pids"}


def test_a_colon_in_a_groups_name_is_kept() -> None:
    assert parse_cgroup("3:pids:/a:b\n0::/c:d\n") == {"pids": "/a:b", "": "/c:d"}
