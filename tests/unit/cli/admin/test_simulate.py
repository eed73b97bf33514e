"""``crane simulate`` as people type it."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from cli.crane import main

SMALL = Path(__file__).parents[2] / "simulation" / "small.swf"
BASE = ["simulate", str(SMALL), "--nodes", "16", "--cpus", "1"]


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main([*BASE, *argv]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(list(argv)) == 2
    return capsys.readouterr().err


def test_policies_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--limit", "50")
    assert f"{SMALL}: 50 jobs; 16 nodes of 1 CPUs" in out
    assert out.splitlines()[2].split()[:2] == ["fifo", "firstfit"]
    assert "bounded slowdown" in out and "decisions a second" in out


def test_json_of_one_policy(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--json", "--policy", "fifo", "--speed-up", "2"))
    (fifo,) = found["policies"]
    assert fifo["policy"] == "fifo" and fifo["jobs"] == 400 and 0 < fifo["utilisation"] <= 1


def test_a_gzipped_trace_by_its_content(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    packed = tmp_path / "trace"
    packed.write_bytes(gzip.compress(SMALL.read_bytes()))
    assert main(["simulate", str(packed), "--nodes", "16", "--cpus", "1", "--limit", "9"]) == 0
    assert "9 jobs" in capsys.readouterr().out
    packed.write_bytes(gzip.compress(SMALL.read_bytes())[:1000])
    assert "fetch it again" in refused(capsys, "simulate", str(packed), "--nodes", "16", "--cpus", "1")


def test_a_plot_as_svg_needs_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hide_matplotlib(monkeypatch)
    said(capsys, "--limit", "100", "--plot", str(tmp_path / "a.svg"))
    text = (tmp_path / "a.svg").read_text()
    assert text.startswith("<svg")
    assert "jobs that wait" in text
    assert "fifo" in text


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (["nothing.swf", "--nodes", "1", "--cpus", "1"], "cannot read nothing.swf: No such file"),
        ([str(SMALL), "--nodes", "0", "--cpus", "1"], "bad --nodes '0'"),
        ([str(SMALL), "--nodes", "15", "--cpus", "1"], "the cluster has 15: give it --nodes 16"),
        ([str(SMALL), "--nodes", "16", "--cpus", "1", "--speed-up", "0"], "bad --speed-up"),
        ([str(SMALL), "--nodes", "16", "--cpus", "1", "--policy", "fifi"], "did you mean 'fifo'"),
        ([str(SMALL), "--nodes", "16", "--cpus", "1", "--plot", "a.gif"], "write FILE.svg, FILE.png or FILE.pdf"),
        (
            [str(SMALL), "--nodes", "16", "--cpus", "1", "--limit", "9", "--plot", "/nowhere/a.svg"],
            "cannot write /nowhere/a.svg",
        ),
        (["--nodes", "1", "--cpus", "1"], "TRACE"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], argv: list[str], what: str) -> None:
    assert what in refused(capsys, "simulate", *argv)


def _hide_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.mark.parametrize("kind", ["png", "pdf"])
def test_a_plot_says_what_it_needs_before_anything_is_replayed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    _hide_matplotlib(monkeypatch)
    text = refused(capsys, "simulate", "/nonexistent", "--nodes", "1", "--cpus", "1", "--plot", f"a.{kind}")
    assert f"{kind.upper()} is drawn by matplotlib" in text
    assert "pip install 'crane-celery[plots]'" in text
    assert "/nonexistent" not in text


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("pdf", b"%PDF-")])
def test_matplotlib_draws_plots(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, start: bytes) -> None:
    said(capsys, "--limit", "100", "--plot", str(tmp_path / f"a.{kind}"))
    assert (tmp_path / f"a.{kind}").read_bytes().startswith(start)
