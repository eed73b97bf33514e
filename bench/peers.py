"""The other systems, measured by the scripts of the project's reference folder beside the checkout, in the same run.

Where that folder or a system is absent, its column says so; nothing is invented.
"""

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
    if not script.exists():
        return {}
    done = subprocess.run([sys.executable, script, name], env=env, text=True, capture_output=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        print(f"peer {name} stopped: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    found: Figures = {}
    for row in rows:
        found.setdefault(row["work"], row)
    return found


def slurm(isolation: str = "") -> Figures:
    """Slurm on a private cluster of four virtual nodes; {} when it is not installed or we are not root."""
    starter = SHARED / "slurm_cluster"
    if not (starter.exists() and shutil.which("slurmctld") and os.getuid() == 0):
        return {}
    with tempfile.TemporaryDirectory(prefix="crane-bench-slurm-") as folder:
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
