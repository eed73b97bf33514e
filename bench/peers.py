"""The other systems, measured by the scripts of the project's reference folder beside the checkout, in the same run.

Where that folder or a system is absent, its column says so; nothing is invented.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared" / "bench"
Figures = dict[str, dict[str, float]]  # work -> {"seconds", "per_second", "n"}


def measure(name: str, env: dict[str, str] | None = None) -> Figures:
    """Figures of one peer; {} when it cannot run here."""
    script = SHARED / "peers.py"
    lack = missing(name)
    if lack:
        print(f"{name}: not measured: {lack}", file=sys.stderr)
        return {}
    done = subprocess.run([sys.executable, script, name], env=env, text=True, capture_output=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        print(f"{name}: stopped early: {why[0]}", file=sys.stderr)
    found: Figures = {}
    for row in rows:
        found.setdefault(row["work"], row)
    return found


def missing(name: str) -> str:
    """Return what a peer lacks here to be measured, and how to get it; "" for nothing."""
    if not SHARED.exists():
        return f"its script is not there ({SHARED})"
    if name == "hyperqueue" and importlib.util.find_spec("hyperqueue") is None:
        return "it is not installed: pip install --group bench"
    if name == "parallel" and not shutil.which("parallel"):
        return "it is not installed: apt-get install parallel"
    if name == "slurm" and not shutil.which("slurmctld"):
        return "it is not installed: apt-get install slurm-wlm"
    if name == "slurm" and os.getuid() != 0:
        return "its private cluster has to be started by root"
    return ""


def slurm(isolation: str = "") -> Figures:
    """Slurm on a private cluster of four virtual nodes; {} when it is not installed or we are not root."""
    starter = SHARED / "slurm_cluster"
    lack = missing("slurm")
    if lack:
        print(f"slurm: not measured: {lack}", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory(prefix="crane-bench-slurm-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        env = {**os.environ, "ISOLATION": isolation, "SLURM_CONF": f"{folder}/slurm.conf"}
        try:
            subprocess.run([starter, "start", folder], env=env, check=True, capture_output=True, timeout=120)
            return measure("slurm", env)
        except subprocess.SubprocessError as error:
            print(f"slurm did not start: {error}", file=sys.stderr)
            return {}
        finally:
            subprocess.run([starter, "stop", folder], env=env, check=False, capture_output=True)
