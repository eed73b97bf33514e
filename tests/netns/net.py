"""Hosts of a test: network namespaces on a bridge that has a namespace of its own too, so the machine sees none of it.

Private addresses (10.231.7.0/24) exist inside these namespaces only. A cut takes the bridge's end of a cable down; a
one-way loss drops what a host would hear, so its peers' packets vanish and nobody is told (half-open connections).
"""

import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

NETWORK = "10.231.7"


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"


class Host:
    """One namespace with one address."""

    def __init__(self, prefix: str, name: str, number: int) -> None:
        """Cabled to the bridge, up."""
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self._space, self._switch, self._port = f"{prefix}-{name}", f"{prefix}-switch", f"p{number}"
        _run("ip", "netns", "add", self._space)
        _run("ip", "-n", self._switch, "link", "add", self._port, "type", "veth",
             "peer", "name", "eth0", "netns", self._space)  # fmt: skip
        _run("ip", "-n", self._switch, "link", "set", self._port, "master", "bridge", "up")
        _run("ip", "-n", self._space, "address", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _run("ip", "-n", self._space, "link", "set", link, "up")

    def inside(self, *argv: str) -> list[str]:
        """The argument vector that runs a program on this host. Only its network differs: `ip netns exec` would hide
        the cgroups."""
        return ["nsenter", f"--net=/run/netns/{self._space}", "--", *argv]

    def cut(self) -> None:
        """Pull the cable."""
        _run("ip", "-n", self._switch, "link", "set", self._port, "down")

    def join(self) -> None:
        """Plug it in again."""
        _run("ip", "-n", self._switch, "link", "set", self._port, "up")

    def deafen(self, other: "Host") -> None:
        """Whatever ``other`` sends is lost on its way here."""
        _run(*self.inside("iptables", "-A", "INPUT", "-s", other.address, "-j", "DROP"))

    def hear(self, other: "Host") -> None:
        """Undo ``deafen``."""
        _run(*self.inside("iptables", "-D", "INPUT", "-s", other.address, "-j", "DROP"))


@contextmanager
def network(names: Sequence[str]) -> Iterator[dict[str, Host]]:
    """Hosts by name on one bridge; all of it is gone at the end, also what a failed start left."""
    prefix = f"crane{secrets.token_hex(3)}"
    spaces = [f"{prefix}-{name}" for name in (*names, "switch")]
    try:
        _run("ip", "netns", "add", f"{prefix}-switch")
        _run("ip", "-n", f"{prefix}-switch", "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", f"{prefix}-switch", "link", "set", "bridge", "up")
        yield {name: Host(prefix, name, number) for number, name in enumerate(names, 1)}
    finally:
        for space in spaces:
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)
