"""Memory sizes."""

import pytest

from crane_celery.errors import InputError
from crane_celery.grammar.memory import format_memory, parse_memory

MB = 1 << 20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10", 10 * MB),
        ("1.5G", 1536 * MB),
        ("4096K", 4 * MB),
        ("100B", 100),
        ("1g", 1024 * MB),
        ("2T", 2 << 40),
        ("16GB", 16 << 30),
        ("1gb", 1 << 30),
        ("64Gb", 64 << 30),
        ("500MB", 500 * MB),
        ("1.", MB),
        ("0", 0),
        ("0.5", MB // 2),
        ("0.1B", 0),
    ],
)
def test_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text",
    ["1GBB", "1GiB", "100BB", "-1", "1 G", "G", "", ".5G", "1.5.2G", "1e3", "²", "1G\n", "9" * 19 + "T", "1" * 50],
)
def test_memory_refused(text: str) -> None:
    with pytest.raises(InputError, match="memory size"):
        parse_memory(text)


def test_message_names_input_and_remedy() -> None:
    with pytest.raises(InputError) as caught:
        parse_memory("1GX")
    assert str(caught.value) == (
        "bad memory size '1GX': write a number with one of K M G T or nothing (MB), such as 1G"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0"), (1, "1M"), (MB, "1M"), (1536 * 1024, "1M"), (4096 * MB, "4096M"), (1 << 40, "1048576M")],
)
def test_display(size: int, text: str) -> None:
    assert format_memory(size) == text
