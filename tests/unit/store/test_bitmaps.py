"""Bits as the server keeps them."""

from crane_celery.store.bitmaps import ranks_of


def test_ranks_of() -> None:
    bits = b"\xc0\x01"  # 11000000 00000001
    assert ranks_of(bits, 0, 16).text == "0-1,15"
    assert ranks_of(bits, 1, 14).text == "0"
    assert ranks_of(bits, -3, 5).text == "3-4"
    assert ranks_of(bits, 15, 100).text == "0"
    assert ranks_of(b"", 0, 9).text == ""
