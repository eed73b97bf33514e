"""Test what looks at a cluster says in a line what is wrong with the variables that lead to it."""

import pytest

from tests.unit.cli.support import Shell
from tests.unit.outside.test_options import clean

VARIABLES = ("CRANE_HOME", "CRANE_CONFIG", "XDG_STATE_HOME", "HOME", "CRANE_SOCKET")
#: no folders, or such as cannot be
PLACES = ("", " ", "0", "~", "\udcff", "1\n2", "9" * 300, "9" * 5000, "/" + "d/" * 3000, "/dev/null", "/etc/passwd/x")
LOOKS = ("config", "status", "quarantine")


@pytest.mark.parametrize("name", VARIABLES)
def test_where_a_cluster_lies(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    for value in PLACES:
        monkeypatch.setenv(name, value)
        for part in LOOKS:
            clean(shell("crane", part, *["list"][: part == "quarantine"]), (part, name, value))
        clean(shell("cqueue"), (name, value))
