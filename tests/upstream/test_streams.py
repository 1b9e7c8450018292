from __future__ import annotations

import httpx

from sidecar.upstream.exchange import Exchange
from sidecar.upstream.streams import AbortableStream, WholeBody


async def test_a_whole_body_can_be_iterated_by_any_transport_and_again() -> None:
    body = WholeBody(b"data")
    assert [part async for part in body] == [b"data"]
    assert [part async for part in body] == [b"data"]


def test_our_responses_can_be_given_up_without_waiting() -> None:
    assert issubclass(Exchange, AbortableStream)
    assert issubclass(Exchange, httpx.AsyncByteStream)
