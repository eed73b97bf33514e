"""The wheel: what is in it, and that it works wherever pip puts it, without a network."""

import email
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMANDS = sorted(path.stem for path in (ROOT / "cli").glob("c*.py"))


def run(*argv: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(argv, env={**kept, **env}, capture_output=True, text=True, check=True, timeout=100)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "-q", "--wheel-dir", str(folder))
    run(sys.executable, "-m", "pip", "wheel", *options, str(ROOT))
    return next(folder.glob("crane_celery-*.whl"))


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(archive.read(info))
        modes = {name: archive.getinfo(name).external_attr >> 16 & 0o777 for name in names if ".data/scripts/" in name}
    data = info.replace(".dist-info/METADATA", ".data")
    share = f"{data}/data/share"
    expected = {
        "crane_celery/py.typed",
        "crane_celery/isolated.py",
        "crane_celery/store/lua/submit.lua",
        "cli/completion/bash",
        info.replace("METADATA", "licenses/LICENSE"),
        f"{share}/zsh/site-functions/_crane_celery",
        *(f"{data}/scripts/{name}" for name in (*COMMANDS, "crane-start", "crane-complete")),
        *(f"{share}/bash-completion/completions/{name}" for name in COMMANDS),
        *(f"{share}/fish/vendor_completions.d/{name}.fish" for name in COMMANDS),
        *(f"{share}/man/man1/{name}.1" for name in COMMANDS if name not in ("calloc", "ccon")),
    }
    assert expected <= names, expected - names
    assert set(modes.values()) == {0o755}
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/", "packaging/"))]
    assert said["License-Expression"] == "Apache-2.0" and "Typing :: Typed" in said.get_all("Classifier", [])
    assert set(said.get_all("Provides-Extra", [])) == {"postgresql", "flower", "plots"}
    urls = {each.partition(",")[0] for each in said.get_all("Project-URL", [])}
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= urls


def installed(wheel: Path, python: Path, *options: str) -> None:
    """Install with the pip that we have, for another interpreter; what it needs is there (or not) already."""
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index")
    run(*pip, "--force-reinstall", "--disable-pip-version-check", *options, str(wheel))


def test_it_works_in_a_fresh_environment_with_a_blank_in_its_path(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "a fresh one"
    run(sys.executable, "-m", "venv", "--without-pip", place)
    installed(wheel, place / "bin" / "python")
    site = next((place / "lib").glob("python*/site-packages"))
    for name in COMMANDS:
        assert run(place / "bin" / name, "--help", PYTHONHOME="/nowhere").stdout.startswith(f"usage: {name}")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))  # what it depends on, without a network
    assert "Python" in run(place / "bin" / "crane", "doctor", CRANE_HOME=str(tmp_path)).stdout.title()
    assert "--partition" in run(place / "bin" / "crane-complete", "words", "cqueue", "--par").stdout
    shown = run("man", "-l", place / "share" / "man" / "man1" / "cbatch.1", MANWIDTH="80").stdout
    assert "--array-each-line" in shown


@pytest.mark.parametrize("how", ["--target", "--prefix"])
def test_it_works_where_only_its_own_folder_has_it(wheel: Path, tmp_path: Path, how: str) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "python")
    place = tmp_path / "elsewhere"
    installed(wheel, tmp_path / "python" / "bin" / "python", how, str(place))
    for name in ("cqueue", "crane"):
        assert run(place / "bin" / name, "--help").stdout.startswith(f"usage: {name}")
