from __future__ import annotations

import gzip

import httpx
import pytest

from sidecar.upstream.errors import Disconnected, Malformed
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.reading import ResponseReader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n"
LENGTH = HEAD + b"Content-Length: 11\r\n\r\nhello world"
UNTIL_CLOSE = HEAD + b"\r\nhello world"
TRAILERS = HEAD + b"Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\nX-Late: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + LENGTH


def reader_of(*datas: bytes, limits: WireLimits | None = None, **options: bool) -> ResponseReader:
    reader = ResponseReader(limits or WireLimits(), **options)
    for data in datas:
        reader.feed(data)
    return reader


def single_bytes(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("raw", [CHUNKED, LENGTH, UNTIL_CLOSE, TRAILERS, INTERIM])
def test_a_response_reads_the_same_however_it_is_cut(raw: bytes) -> None:
    for cut in range(len(raw) + 1):
        reader = reader_of(raw[:cut], raw[cut:])
        reader.end(None)
        assert (reader.complete, b"".join(reader.pieces)) == (True, b"hello world"), cut
        assert (reader.status, reader.failure) == (200, None)


@pytest.mark.parametrize("raw", [CHUNKED, LENGTH, UNTIL_CLOSE, TRAILERS, INTERIM])
def test_a_response_reads_the_same_byte_by_byte(raw: bytes) -> None:
    reader = reader_of(*single_bytes(raw))
    reader.end(None)
    assert (reader.complete, b"".join(reader.pieces)) == (True, b"hello world")


@pytest.mark.parametrize("raw", [CHUNKED, LENGTH, TRAILERS, INTERIM])
@pytest.mark.parametrize("error", [None, ConnectionResetError()])
def test_a_framed_response_is_never_whole_before_its_last_byte(
    raw: bytes, error: Exception | None
) -> None:
    for cut in range(len(raw)):
        reader = reader_of(raw[:cut])
        reader.end(error)
        assert reader.failure is not None, cut
        assert not reader.complete


def test_an_unframed_response_that_is_reset_is_not_whole() -> None:
    reader = reader_of(UNTIL_CLOSE)
    reader.end(ConnectionResetError())
    assert reader.failure is not None
    assert reader.failure.kind is httpx.ReadError


def test_an_unframed_head_that_is_closed_early_is_not_whole() -> None:
    reader = reader_of(HEAD)
    reader.end(None)
    assert reader.failure is not None
    assert reader.failure.kind is httpx.RemoteProtocolError


def test_a_transfer_coding_other_than_chunked_ends_with_the_connection() -> None:
    reader = reader_of(HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + gzip.compress(b"x"))
    assert not reader.complete
    reader.end(None)
    assert reader.complete


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, Disconnected),
        (ConnectionResetError(), httpx.ReadError),
        (BrokenPipeError(), httpx.WriteError),
    ],
)
def test_an_end_before_the_first_byte_has_its_own_names(
    error: Exception | None, kind: type[Exception]
) -> None:
    reader = reader_of()
    reader.end(error)
    assert reader.failure is not None
    assert reader.failure.kind is kind


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_what_is_not_http_is_malformed(raw: bytes) -> None:
    reader = reader_of(raw)
    assert reader.failure is not None
    assert reader.failure.kind is Malformed
    assert not reader.keep_alive


def test_the_body_before_a_malformed_chunk_is_kept() -> None:
    reader = reader_of(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
    assert (reader.status, reader.pieces) == (200, [b"hello"])
    assert reader.failure is not None


@pytest.mark.parametrize("raw", [CHUNKED, LENGTH, TRAILERS])
def test_a_whole_framed_response_leaves_the_connection_reusable(raw: bytes) -> None:
    assert reader_of(raw).keep_alive


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        LENGTH + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        LENGTH + b"junk",
    ],
)
def test_a_response_that_closes_or_overruns_leaves_the_connection_unusable(raw: bytes) -> None:
    reader = reader_of(raw)
    assert reader.complete
    assert not reader.keep_alive


def test_bytes_behind_the_response_never_join_its_body() -> None:
    reader = reader_of(LENGTH + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert (reader.pieces, reader.failure) == ([b"hello world"], None)
    assert [name for name, _ in reader.headers] == [b"Content-Type", b"Content-Length"]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_ends_at_its_headers(status: int) -> None:
    reader = reader_of(b"HTTP/1.1 %d X\r\nContent-Type: text/plain\r\n\r\n" % status)
    assert (reader.status, reader.complete, reader.keep_alive) == (status, True, True)


def test_the_answer_to_a_head_request_ends_at_its_headers() -> None:
    reader = reader_of(HEAD + b"Content-Length: 11\r\n\r\n", expects_body=False)
    assert (reader.complete, reader.keep_alive) == (True, False)


def test_interim_responses_leave_no_trace() -> None:
    reader = reader_of(INTERIM)
    assert reader.headers == [(b"Content-Type", b"text/event-stream"), (b"Content-Length", b"11")]


def test_trailers_are_not_headers() -> None:
    assert b"X-Late" not in dict(reader_of(TRAILERS).headers)


ENDLESS = {
    "a header value": (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 500),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n" * 80),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
    "a chunk extension": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"a" * 500),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 500),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_bytes_without_content_are_bounded(what: str) -> None:
    start, more = ENDLESS[what]
    reader = reader_of(start, *[more] * 20, limits=WireLimits(head_bytes=4096))
    assert reader.failure is not None
    assert reader.failure.kind is Malformed


def test_a_head_too_large_is_refused_even_if_its_body_came_in_the_same_read() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX: " + b"a" * 5000 + b"\r\nContent-Length: 2\r\n\r\nhi"
    reader = reader_of(raw, limits=WireLimits(head_bytes=4096))
    assert reader.failure is not None
    assert not reader.head_ready


def test_too_many_headers_are_refused() -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 21 + b"Content-Length: 0\r\n\r\n"
    assert reader_of(raw, limits=WireLimits(headers=20)).failure is not None


def test_a_long_body_is_not_a_long_head() -> None:
    raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    reader = reader_of(*single_bytes(raw), limits=WireLimits(head_bytes=4096))
    assert (reader.complete, len(b"".join(reader.pieces))) == (True, 5000)


def test_nothing_more_is_taken_in_after_a_failure() -> None:
    reader = reader_of(b"nonsense\r\n", LENGTH)
    assert (reader.pieces, reader.complete) == ([], False)
