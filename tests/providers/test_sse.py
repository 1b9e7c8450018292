"""Event-stream framing, by the standard and beyond it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.providers.sse import Event, Framed, SseFramer


def framed(*pieces: bytes) -> Framed:
    framer = SseFramer()
    events = [event for piece in pieces for event in listed(framer.feed(piece))]
    return events + framer.end()


def listed(events: bytes | Framed) -> Framed:
    """An event that is a read of its own comes by itself."""
    return [events] if isinstance(events, bytes) else events


def datas(*pieces: bytes) -> list[bytes]:
    return [event.data if isinstance(event, Event) else event for event in framed(*pieces)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_three_line_ends_are_line_ends(end: bytes) -> None:
    assert datas(b"data: a" + end + end + b"data: b" + end + end) == [b"a", b"b"]


def test_mixed_line_ends_are_line_ends() -> None:
    assert datas(b"data: a\r\ndata: b\n\r\ndata: c\r\r") == [b"a\nb", b"c"]


def test_a_crlf_in_two_chunks_is_one_line_end() -> None:
    assert datas(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_a_cr_ends_an_event_without_waiting_for_an_lf() -> None:
    framer = SseFramer()
    assert framer.feed(b"data: a\r\r") == [b"a"]


def test_an_empty_chunk_changes_nothing() -> None:
    assert datas(b"data: a\r", b"", b"\n", b"\r\n") == [b"a"]


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_byte_order_mark_is_stripped_wherever_it_is_cut(cut: int) -> None:
    body = b"\xef\xbb\xbfdata: a\n\n"
    assert datas(body[:cut], body[cut:]) == [b"a"]


def test_a_byte_order_mark_inside_the_stream_is_text() -> None:
    assert datas(b"data: a\n\n", b"data: \xef\xbb\xbfb\n\n") == [b"a", b"\xef\xbb\xbfb"]


def test_only_one_space_after_the_colon_is_taken_away() -> None:
    assert datas(b"data:a\n\ndata:  b\n\n") == [b"a", b" b"]


def test_several_data_lines_are_one_event() -> None:
    assert datas(b'data: {"a":\ndata: 1}\n\n') == [b'{"a":\n1}']


def test_a_data_line_without_colon_is_an_empty_line_of_data() -> None:
    assert datas(b"data: a\ndata\n\n") == [b"a\n"]


def test_a_name_is_told_where_it_is_error() -> None:
    assert framed(b"event: error\ndata: {}\n\n") == [Event(b"{}", b"error")]
    assert framed(b"event: ping\ndata: {}\n\n") == [b"{}"]


def test_an_event_name_behind_its_data_counts_too() -> None:
    assert framed(b"data: {}\nevent: error\n\n") == [Event(b"{}", b"error")]


def test_an_event_without_data_is_none() -> None:
    assert framed(b"event: ping\n\nid: 7\n\nretry: 1000\n\n") == []


def test_leading_blank_lines_are_nothing() -> None:
    assert datas(b"\n\n\n\r\n", b"\n", b"data: a\n\n") == [b"a"]


def test_comments_are_counted_and_say_nothing() -> None:
    framer = SseFramer()
    assert framer.feed(b": keep-alive\n\n: OPENROUTER PROCESSING\n\n:\n\n") == []
    assert framer.keepalives == 3


def test_a_comment_is_counted_before_its_blank_line_comes() -> None:
    framer = SseFramer()
    framer.feed(b": hi\n")
    assert framer.keepalives == 1


def test_a_comment_inside_an_event_does_not_disturb_it() -> None:
    assert datas(b"data: a\n: hi\ndata: b\n\n") == [b"a\nb"]


def test_an_unknown_field_is_kept() -> None:
    assert framed(b'error: {"message":"no"}\n\n') == [Event(b"", b"", b'error: {"message":"no"}')]


def test_bare_json_behind_the_events_is_kept() -> None:
    body = b'data: {}\r\n\r\n{\r\n  "error": {\r\n    "code": 503\r\n  }\r\n}\r\n'
    assert framed(body)[1] == Event(b"", b"", b'{\n  "error": {\n    "code": 503\n  }\n}')


def test_a_last_event_without_its_blank_line_is_given_out_at_the_end() -> None:
    framer = SseFramer()
    assert framer.feed(b"data: a\n\ndata: [DONE]") == [b"a"]
    assert framer.end() == [b"[DONE]"]


def test_the_end_comes_once() -> None:
    framer = SseFramer()
    framer.feed(b"data: a")
    assert framer.end() == [b"a"]
    assert framer.end() == []


def test_a_multi_byte_character_may_be_cut() -> None:
    body = "data: ☃\n\n".encode()
    assert datas(body[:7], body[7:8], body[8:]) == ["☃".encode()]


def test_one_event_may_not_grow_without_bound() -> None:
    framer = SseFramer(max_bytes=100)
    framer.feed(b"data: " + b"x" * 50)
    assert not framer.overflow
    framer.feed(b"x" * 60)
    assert framer.overflow


def test_an_overflown_framer_holds_and_returns_nothing() -> None:
    framer = SseFramer(max_bytes=10)
    framer.feed(b"data: " + b"x" * 50)
    assert framer.feed(b"\n\ndata: a\n\n") == []
    assert framer.end() == []


def test_many_events_together_may_be_larger_than_one_may_be() -> None:
    framer = SseFramer(max_bytes=10)
    assert len(framer.feed(b"data: a\n\n" * 100)) == 100
    assert not framer.overflow


# Words of which a body may be made, so that short lists of them meet every rule of the framing.
WORDS = (
    b"data: ", b"data:", b"event: ", b"event: error", b"id: 7", b": hi", b"oops: ", b"{}", b"x",
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"data: a\n\n",
    b"data: a\r\n\r\n", b"data: a\n\ndata: b\n\n", b"event: ping\ndata: a\n\n",
    b"event: error\ndata: a\n\n",
)  # fmt: skip
READS = st.lists(st.lists(st.sampled_from(WORDS), max_size=5).map(b"".join), max_size=8)


@given(READS)
@example([b"data: a\n\n", b"data: b\r", b"\ndata: c\n\n"])
@example([b"\xef\xbb", b"\xbfdata: a\n\n"])
@example([b"xevent: a\ndata: b\n\n"])
def test_how_a_body_is_read_changes_nothing(reads: list[bytes]) -> None:
    body = b"".join(reads)
    bytewise, at_once = framed(*(body[at : at + 1] for at in range(len(body)))), framed(body)
    assert [event for event in framed(*reads) if event] == [event for event in bytewise if event]
    assert [event for event in at_once if event] == [event for event in bytewise if event]


@given(READS)
def test_comments_are_counted_however_they_are_read(reads: list[bytes]) -> None:
    one, other = SseFramer(), SseFramer()
    for read in reads:
        one.feed(read)
        for at in range(len(read)):
            other.feed(read[at : at + 1])
    one.end()
    other.end()
    assert one.keepalives == other.keepalives
