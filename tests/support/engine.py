"""A container engine to test on: one that runs already, else a private one, with images even without a registry.

The scripts in ``images/`` start a private engine, and make local stand-ins for the base images. What was started here
is stopped again, and what it changed on the host is put back.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELPERS = Path(__file__).parent / "images"
IMAGES = ("python:3.11-slim-bookworm", "valkey/valkey:8")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class NoEngineError(Exception):
    """There is no container engine and none can be started."""


def run(*argv: str, env: Mapping[str, str], timeout: float = 60.0) -> str:
    """Return what a program prints. Raises CalledProcessError, whose text has its standard error."""
    done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return done.stdout


def answers(env: Mapping[str, str]) -> bool:
    """Return whether an engine is there."""
    try:
        run("docker", "version", env=env)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """The environment in which ``docker`` reaches an engine with the base images. Raises NoEngineError."""
    if not shutil.which("docker"):
        raise NoEngineError("there is no docker command: install docker.io and docker-compose (.ci/run does)")
    if answers(os.environ):
        env = dict(os.environ)
        provide_images(env, Path(tempfile.gettempdir()))
        yield env
        return
    with private_engine() as env:
        yield env


def _roomy() -> str:
    """A folder for images: that for large temporary files, where the host has one."""
    return "/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir()


@contextmanager
def private_engine() -> Iterator[dict[str, str]]:
    """An engine of our own, gone at the end with all it made."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        raise NoEngineError(
            "no container engine answers and none can be started here (that takes root and dockerd): start the engine"
            " of this host, or set DOCKER_HOST"
        )
    folder = Path(tempfile.mkdtemp(prefix="crane-engine-", dir=os.environ.get("CRANE_ENGINE_DIR", _roomy())))
    forward, bridges, groups = _FORWARD.read_text(), _bridges(), _groups()
    rules = run("iptables-save", env=os.environ)
    pid = int(run(str(HELPERS / "start_docker"), str(folder), env=os.environ))
    env = {**os.environ, "DOCKER_HOST": f"unix://{folder}/docker.sock"}
    try:
        provide_images(env, folder)
        yield env
    finally:
        _stop(pid)
        _put_back(folder, rules, forward, bridges)
        _drop(_groups() - groups)


def provide_images(env: Mapping[str, str], folder: Path) -> None:
    """See that the base images are there: pulled, else made. Raises NoEngineError."""
    if all(_has_image(image, env) or _pulled(image, env) for image in IMAGES):
        return
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        raise NoEngineError(
            f"no registry can be reached for {', '.join(IMAGES)}, and none can be made here (that takes root and"
            " mmdebstrap): pull them"
        )
    run(str(HELPERS / "make_standins"), str(folder / "standins"), env=env, timeout=600.0)


def _has_image(image: str, env: Mapping[str, str]) -> bool:
    try:
        run("docker", "image", "inspect", image, env=env)
    except subprocess.CalledProcessError:
        return False
    return True


def _pulled(image: str, env: Mapping[str, str]) -> bool:
    try:
        run("docker", "pull", "-q", image, env=env, timeout=300.0)
    except subprocess.SubprocessError:
        return False
    return True


def _stop(pid: int) -> None:
    """End the engine and wait for it: it is no child of ours."""
    watched = os.pidfd_open(pid)
    try:
        import select
        import signal

        signal.pidfd_send_signal(watched, signal.SIGTERM)
        if not select.select([watched], [], [], 60)[0]:
            signal.pidfd_send_signal(watched, signal.SIGKILL)
            select.select([watched], [], [], 10)
    finally:
        os.close(watched)


def _put_back(folder: Path, rules: str, forward: str, bridges: set[str]) -> None:
    """Undo what the engine changed: packet rules, forwarding, bridges, mounts, files."""
    subprocess.run(["iptables-restore"], input=_emptied(rules), text=True, check=True)
    _FORWARD.write_text(forward)
    for name in _bridges() - bridges:
        with suppress(subprocess.CalledProcessError):
            run("ip", "link", "delete", name, env=os.environ)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "-l", mount], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _emptied(rules: str) -> str:
    """Rules for iptables-restore: those from before; tables that had none are emptied."""
    known = set(re.findall(r"^\*(\w+)$", rules, re.M))
    empty = {
        "filter": ("INPUT", "FORWARD", "OUTPUT"),
        "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    }
    added = [
        "\n".join([f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in chains), "COMMIT", ""])
        for table, chains in empty.items()
        if table not in known
    ]
    return rules + "".join(added)


def _groups() -> set[Path]:
    """The engine's control groups, in every hierarchy."""
    return {*Path("/sys/fs/cgroup").glob("docker"), *Path("/sys/fs/cgroup").glob("*/docker")}


def _drop(groups: set[Path]) -> None:
    """Remove empty control groups, innermost first."""
    for group in groups:
        for path, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(path)


def _bridges() -> set[str]:
    """Names of bridges on this host."""
    links = json.loads(run("ip", "-j", "link", "show", "type", "bridge", env=os.environ) or "[]")
    return {str(link["ifname"]) for link in links if link}
