"""Folders are made however deep they lie."""

import os
from pathlib import Path

import pytest

from crane_celery.folders import make_folders


def test_more_levels_than_python_may_recurse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deep = "/".join("d" * 1500)
    make_folders(deep)
    make_folders(deep)
    assert os.path.isdir(deep)
    while deep:
        os.rmdir(deep)
        deep = os.path.dirname(deep)


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(OSError, match="File exists"):
        make_folders(str(tmp_path / "f" / "d"))
