"""``crane up`` refuses sizes and waits that nothing can have, and leaves the configuration as it was."""

from pathlib import Path

import pytest

from cli.admin import up
from tests.unit.cli.support import Shell
from tests.unit.outside.extremes import ALL
from tests.unit.outside.test_options import clean


@pytest.mark.parametrize("option", ["--nodes", "--cpus", "--mem", "--gres", "--name", "--timeout"])
def test_extreme_values(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str) -> None:
    """Either it goes on to start a supervisor, or nothing has changed."""
    started: list[bool] = []
    monkeypatch.setattr(up, "_start", lambda _settings: started.append(True))
    for name in ("_wait", "make_keys", "prepare_run_dir"):
        monkeypatch.setattr(up, name, lambda *_: None)
    for number, value in enumerate(ALL):
        home = tmp_path / str(number)
        home.mkdir()
        started.clear()
        clean(shell("crane", "up", "--home", str(home), f"{option}={value}"), value)
        assert started or not (home / "config.yaml").exists(), value
