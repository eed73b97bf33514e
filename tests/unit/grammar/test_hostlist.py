"""Host lists, both ways."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.hostlist import compress, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("cn1", ["cn1"]),
        ("aaa[1-2,3],bbb", ["aaa1", "aaa2", "aaa3", "bbb"]),
        ("cn[1-3,5],gpu01", ["cn1", "cn2", "cn3", "cn5", "gpu01"]),
        ("crane[02-03]", ["crane02", "crane03"]),
        ("n[08-10]", ["n08", "n09", "n10"]),
        ("n[9-11]", ["n9", "n10", "n11"]),
        ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
        ("[1-2]x.site-a", ["1x.site-a", "2x.site-a"]),
        ("b,a,b", ["b", "a"]),
        ("n[001-2]", ["n001", "n002"]),
    ],
)
def test_expand(text: str, names: list[str]) -> None:
    assert expand(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "a,",
        ",",
        "a[",
        "a]",
        "a[]",
        "a[1",
        "a[1-]",
        "a[-1]",
        "a[2-1]",
        "a[x]",
        "a[1,]",
        "a b",
        "a[[1]]",
        "a/b",
        "é",
        "a[1-03]",
    ],
)
def test_expand_refused(text: str) -> None:
    with pytest.raises(InputError):
        expand(text)


@pytest.mark.parametrize(
    "text", ["a[1-1000001]", "a[1-1000][1-1001]", "a[0-65535],b", "a[1-999999999999]", "a[1-1000000]" * 50]
)
def test_expand_cap(text: str) -> None:
    with pytest.raises(InputError, match="more than 65536 names"):
        expand(text)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["cn1"], "cn1"),
        (["crane02", "crane03"], "crane[02-03]"),
        (["n10", "n9", "n11"], "n[9-11]"),
        (["n08", "n09", "n10"], "n[08-10]"),
        (["n1", "n01"], "n[1,01]"),
        (["b", "a"], "a,b"),
        (["r1n1", "r1n2", "r2n1"], "r1n[1-2],r2n1"),
        (["n", "n1", "n2"], "n,n[1-2]"),
        (["n1-ib", "n2-ib", "n4-ib"], "n[1-2,4]-ib"),
    ],
)
def test_compress(names: list[str], text: str) -> None:
    assert compress(names) == text


def test_compress_refuses_what_no_list_holds() -> None:
    with pytest.raises(InputError):
        compress(["a,b"])


def test_a_name_that_no_host_can_have_is_refused_before_it_is_multiplied() -> None:
    with pytest.raises(InputError, match="253 characters"):
        expand("9" * 5000 + "[1-3]" * 5)
    assert len(expand("a" * 252 + "[1-3]")) == 3
