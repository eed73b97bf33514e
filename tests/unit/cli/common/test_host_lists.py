"""``ccontrol show hostnames|hostlist``, which asks no gateway."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ccontrol
from tests.unit.cli.support import Said


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    for name in ("CRANE_JOB_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: str) -> Said:
        return Said(ccontrol.main(["show", *argv]), *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["hostnames", "n[1-3]"], ["n1", "n2", "n3"]),
        (["hostname", "n[01-02,7],a[1-2]b[3-4]"], ["n01", "n02", "n7", "a1b3", "a1b4", "a2b3", "a2b4"]),
        (["hostnames", "n1,n1", "x"], ["n1", "n1", "x"]),
        (["HostNames=n[1-2]"], ["n1", "n2"]),
        (["hostlist", "n1,n2"], ["n[1-2]"]),
        (["hostlist", "n3,n1,n2,x,x1,y,n9"], ["n[3,1-2],x,x1,y,n9"]),
        (["hostlist", "n09", "n10"], ["n[09-10]"]),
        (["hostlist", "n9-ib,n10-ib"], ["n[9-10]-ib"]),
        (["hostlistsorted", "n3,n1,n2,x"], ["n[1-3],x"]),
    ],
)
def test_lists_and_names(show: Callable[..., Said], words: list[str], lines: list[str]) -> None:
    assert show(*words) == (0, "".join(f"{line}\n" for line in lines), "")


def test_a_jobs_own_nodes(show: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    said = show("hostnames")
    assert (said.code, said.out) == (2, "") and "inside a job" in said.err
    monkeypatch.setenv("SLURM_JOB_NODELIST", "s[1-2]")
    assert show("hostnames").out == "s1\ns2\n"
    monkeypatch.setenv("CRANE_JOB_NODELIST", "c1;c2")
    assert show("hostnames").out == "c1\nc2\n"
    assert show("hostnames", "--json").out == '{"ok":true,"hostnames":["c1","c2"]}\n'


def test_names_of_a_file(show: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("n1\nn2\n\nn4\n")
    assert show("hostlist", str(tmp_path / "hosts")).out == "n[1-2,4]\n"
    assert "No such file" in show("hostlist", str(tmp_path / "none")).err


@pytest.mark.parametrize("text", ["n[1-9999999]", "n[1-999][1-9999]", "n[1-999999],m[1-999999]", "n[3-1]", "n[", "a b"])
def test_what_is_no_list(show: Callable[..., Said], text: str) -> None:
    said = show("hostnames", text)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 2)
