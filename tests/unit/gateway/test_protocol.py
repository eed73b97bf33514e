"""Frames: what goes in comes out, and nothing malformed is believed."""

import io

import pytest

from crane_celery.errors import Infeasible, InputError
from crane_celery.gateway import protocol


def reading(data: bytes, portion: int = 3) -> bytes | None:
    """Read a frame from a stream that comes in small portions."""
    stream = io.BytesIO(data)
    return protocol.read_frame(lambda size: stream.read(min(size, portion)))


@pytest.mark.parametrize("value", [{}, [1, "ü"], {"a": "\udce9\udcff"}, "x" * 5000])
def test_round_trip(value: object) -> None:
    import json

    body = reading(protocol.pack(value))
    assert body is not None and body.isascii() and json.loads(body) == value


def test_a_clean_end_is_none_and_a_torn_one_an_error() -> None:
    assert reading(b"") is None
    for torn in (b"\0\0", b"\0\0\0\5abc"):
        with pytest.raises(EOFError):
            reading(torn)


def test_a_length_over_the_limit_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(InputError, match="4096M"):
        reading(b"\xff\xff\xff\xff")


def test_errors_cross_as_their_own_class() -> None:
    with pytest.raises(Infeasible, match="too much"):
        protocol.result(protocol.refusal(Infeasible("too much")))
    assert protocol.result(protocol.answer(5)) == 5
