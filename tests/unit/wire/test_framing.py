"""Frames are taken from a stream as they were put into it, wherever it was cut."""

import json

from hypothesis import given
from hypothesis import strategies as st

from crane_celery.wire import framing

values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), st.lists, max_leaves=8)


@given(st.lists(values, max_size=4), st.integers(0, 300))
def test_whole_frames_are_found_and_a_part_is_not(sent: list[object], cut: int) -> None:
    stream = b"".join(framing.frame(framing.encode(value)) for value in sent)
    whole = len(stream)
    stream = (stream + framing.frame(framing.encode("x" * 300)))[: whole + cut]
    found, at = [], 0
    while (end := framing.complete(stream, at)) >= 0:
        found.append(json.loads(stream[at + framing.HEADER : end]))
        at = end
    assert found == sent and at == whole


def test_lone_surrogates_survive_and_all_is_ascii() -> None:
    body = framing.encode("\udc80é")
    assert body.isascii() and json.loads(body) == "\udc80é"


def test_a_frame_begins_with_its_length() -> None:
    frame = framing.frame(b"ab")
    assert frame == b"\0\0\0\2ab" and framing.length(frame[:4]) == 2
