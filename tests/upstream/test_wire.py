from __future__ import annotations

import httpx
import pytest

from sidecar.upstream.streams import WholeBody
from sidecar.upstream.wire import Origin, encode_head, origin_of, whole_body


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.deepseek.com/v1", Origin(True, "api.deepseek.com", 443)),
        ("http://127.0.0.1:8000/", Origin(False, "127.0.0.1", 8000)),
        ("HTTPS://Api.Deepseek.Com:443", Origin(True, "api.deepseek.com", 443)),
        ("http://[::1]/", Origin(False, "::1", 80)),
        ("https://bücher.example/", Origin(True, "xn--bcher-kva.example", 443)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: Origin) -> None:
    assert origin_of(httpx.URL(url)) == origin


@pytest.mark.parametrize("url", ["ftp://host/", "/path", "https:///path", ""])
def test_a_url_without_an_origin_is_refused(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        origin_of(httpx.URL(url))


def test_a_head_is_encoded_line_by_line() -> None:
    request = httpx.Request("POST", "http://h/p?q=1#f", headers={"A": "b"}, content=b"xy")
    assert encode_head(request, 2) == (
        b"POST /p?q=1 HTTP/1.1\r\nHost: h\r\nA: b\r\nContent-Length: 2\r\n\r\n"
    )


def test_a_head_without_host_gets_one_first() -> None:
    request = httpx.Request("GET", "http://h:81/", headers={"A": "b"}, stream=WholeBody(b""))
    assert encode_head(request, 0) == b"GET / HTTP/1.1\r\nHost: h:81\r\nA: b\r\n\r\n"


def test_the_body_is_framed_by_its_own_length_whatever_the_headers_say() -> None:
    headers = {"Content-Length": "99", "Transfer-Encoding": "chunked"}
    request = httpx.Request("POST", "http://h/", headers=headers, stream=WholeBody(b"xy"))
    head = encode_head(request, 2)
    assert head.endswith(b"\r\nContent-Length: 2\r\n\r\n")
    assert b"chunked" not in head


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\rb", "a\0b"])
def test_a_header_that_would_break_the_line_is_refused(value: str) -> None:
    request = httpx.Request("POST", "http://h/", headers={"A": value}, content=b"")
    with pytest.raises(httpx.LocalProtocolError):
        encode_head(request, 0)


def test_a_method_that_would_break_the_line_is_refused() -> None:
    with pytest.raises(httpx.LocalProtocolError):
        encode_head(httpx.Request("GET / HTTP/1.1\r\nX: y\r\n", "http://h/"), 0)


async def test_a_body_in_memory_is_taken_as_it_is() -> None:
    data = b"x" * 10
    request = httpx.Request("POST", "http://h/", stream=WholeBody(data))
    assert await whole_body(request) is data


async def test_httpx_own_bodies_are_gathered() -> None:
    request = httpx.Request("POST", "http://h/", json={"a": 1})
    assert await whole_body(request) == b'{"a":1}'
