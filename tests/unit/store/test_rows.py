"""Bits as the server keeps them."""

from crane_celery.store.rows import ones


def test_ones() -> None:
    bits = b"\xc0\x01"  # 11000000 00000001
    assert list(ones(bits, 0, 16)) == [(0, 1), (15, 15)]
    assert list(ones(bits, 1, 14)) == [(0, 0)]
    assert list(ones(bits, -3, 5)) == [(3, 4)]
    assert list(ones(bits, 15, 100)) == [(0, 0)]
    assert list(ones(b"", 0, 9)) == []
