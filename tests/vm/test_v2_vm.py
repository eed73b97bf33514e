"""The v2 driver on a hierarchy that is v2 and nothing else, which most hosts of developers and of CI do not have."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("run_v2_vm")
MISSING_TOOL = 77


@pytest.mark.vm
@pytest.mark.timeout(900)
def test_v2_driver_in_a_virtual_machine() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    if done.returncode == MISSING_TOOL:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok v2 check_nothing_is_left" in done.stdout


@pytest.mark.vm
@pytest.mark.timeout(900)
def test_a_node_in_a_virtual_machine() -> None:
    argv = [SCRIPT, "--timeout", "600", "--", "python3", "-m", "tests.vm.node"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == MISSING_TOOL:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok two_users_against_a_victim" in done.stdout
