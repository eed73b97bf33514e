"""Bodies as a server holds them: cut, shared and put together again."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from crane_celery.errors import SystemFault
from crane_celery.store.bodies import SHARED, Pieces, pack, references, unpack

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    ['"env":{', '},"umask":', "}\n{", "\\", "x" * SHARED, '"},"umask":"']
)


def body(script: str, env: dict[str, str], items: bytes = b"") -> bytes:
    head = json.dumps({"script": script, "argv": [], "env": env, "umask": 18}, separators=(",", ":")).encode("ascii")
    return head + (b"\n" + items if items else b"")


@given(st.lists(TEXT, max_size=3).map("".join), st.dictionaries(TEXT, TEXT, max_size=4), st.binary(max_size=3000))
def test_a_body_comes_back_as_it_was(script: str, env: dict[str, str], items: bytes) -> None:
    whole = body(script, env, items)
    packed = pack(whole)
    assert unpack(packed.record, packed.shared) == whole
    assert references(packed.record) == list(dict.fromkeys(references(packed.record)))[: len(references(packed.record))]
    assert set(references(packed.record)) == set(packed.shared)
    assert all(len(piece) >= SHARED for piece in packed.shared.values())


@given(st.binary(max_size=3000))
def test_bytes_of_any_kind_come_back(whole: bytes) -> None:
    packed = pack(whole)
    assert unpack(packed.record, packed.shared) == whole


def test_the_environment_is_shared_whatever_the_script() -> None:
    env = {f"NAME{at}": "value" * 10 for at in range(50)}
    first, second = (pack(body(script, env)) for script in ("echo 1", "echo 2"))
    assert first.shared == second.shared
    assert len(first.record) < 300


def test_a_small_body_is_stored_as_it_is() -> None:
    whole = body("true", {"A": "b"})
    assert pack(whole).record == whole


@pytest.mark.parametrize("record", [b"\x01", b"\x01o5", b"\x01x5\nabcde", b"\x01o-5\nabcde", b"\x01o\xc2\xb2\nab"])
def test_a_damaged_record_is_named(record: bytes) -> None:
    with pytest.raises(SystemFault, match="damaged"):
        unpack(record, {})


def test_pieces_are_known_up_to_so_many_bytes() -> None:
    pieces = Pieces(most=10)
    pieces.add("a", b"12345")
    pieces.add("b", b"12345")
    assert (pieces.get("a"), pieces.get("b")) == (b"12345", b"12345")
    pieces.add("c", b"1")
    assert (pieces.get("a"), pieces.get("c")) == (None, b"1")
