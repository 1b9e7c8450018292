"""Line framing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.providers.ndjson import LineFramer


def lines(*pieces: bytes) -> list[bytes]:
    framer = LineFramer()
    fed = (framer.feed(piece) for piece in pieces)
    events = [line for told in fed for line in ([told] if isinstance(told, bytes) else told)]
    return [line for line in events + framer.end() if isinstance(line, bytes)]


def test_each_line_is_an_event() -> None:
    assert lines(b'{"a":1}\n{"b":2}\n') == [b'{"a":1}', b'{"b":2}']


def test_a_line_may_be_cut_anywhere() -> None:
    body = b'{"a":1}\r\n{"b":2}\n'
    for cut in range(len(body)):
        assert [line.strip() for line in lines(body[:cut], body[cut:])] == [b'{"a":1}', b'{"b":2}']


def test_the_last_line_needs_no_end() -> None:
    assert lines(b'{"a":1}\n{"b"', b":2}") == [b'{"a":1}', b'{"b":2}']


def test_blank_lines_are_signs_of_life() -> None:
    framer = LineFramer()
    assert framer.feed(b"\n\n") == []
    assert framer.keepalives > 0


def test_a_line_may_not_grow_without_bound() -> None:
    framer = LineFramer(max_bytes=10)
    framer.feed(b"x" * 11)
    assert framer.overflow
    assert framer.feed(b"\n{}\n") == []


WORDS = (b"{", b"{}", b"x", b" ", b"\n", b"\r\n", b"{}\n", b"{}\r\n")
READS = st.lists(st.lists(st.sampled_from(WORDS), max_size=4).map(b"".join), max_size=8)


@given(READS)
def test_how_lines_are_read_changes_nothing(reads: list[bytes]) -> None:
    body = b"".join(reads)
    assert lines(*reads) == lines(*(body[at : at + 1] for at in range(len(body))))


def test_a_line_is_no_sign_of_life_beside_itself() -> None:
    framer = LineFramer()
    framer.feed(b"{}\n{}\n")
    framer.end()
    assert framer.keepalives == 0
