"""File name patterns."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.filename import FilenameContext, check_filename, expand_filename

PLAIN = FilenameContext(42, None, None, 1, "cn01.example.org", 0, 3, "ann", "my job", 2)
ELEMENT = PLAIN._replace(job=38, array_job=36, array_index=3)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Crane-%j.out", "Crane-42.out"),
        ("%A_%a", "42_4294967294"),
        ("%5j", "00042"),
        ("%1j", "42"),
        ("%3t-%n-%s-%r", "003-0-1-2"),
        ("%J", "42.1"),
        ("%N", "cn01"),
        ("%u:%x", "ann:my job"),
        ("%4u", "ann"),
        ("100%%", "100%"),
        ("%%j", "%j"),
        ("%50j", "0000000042"),
        ("%999999999999999999j", "0000000042"),
        ("a\\%j", "a\\%j"),
        ("%q %", "%q %"),
        ("", ""),
        ("/dev/null", "/dev/null"),
    ],
)
def test_expand(pattern: str, name: str) -> None:
    assert expand_filename(pattern, PLAIN) == name


def test_expand_in_an_array() -> None:
    assert expand_filename("Crane-%A_%a.out", ELEMENT) == "Crane-36_3.out"
    assert expand_filename("%j-%3a", ELEMENT) == "38-003"


def test_a_slash_in_a_job_s_name_makes_no_directory() -> None:
    assert expand_filename("%x.out", PLAIN._replace(name="../a/b")) == ".._a_b.out"


@pytest.mark.parametrize("pattern", ["", "%j", "%5j", "%%Y", "a\\%Y", "/x" * 1900, "%A_%a-%J%s%N%n%t%u%x%r", "%5%"])
def test_check_accepts(pattern: str) -> None:
    assert check_filename(pattern) == pattern


@pytest.mark.parametrize("pattern", ["%Y-%m", "100%", "%5", "%é", "%5q", "a\0b", "x" * 128, "/x" * 2000, "%\n"])
def test_check_refuses(pattern: str) -> None:
    with pytest.raises(InputError):
        check_filename(pattern)


def test_check_lists_the_letters() -> None:
    with pytest.raises(InputError, match=r"unknown '%Y'.*%j job id.*%r run"):
        check_filename("run-%Y.out")
