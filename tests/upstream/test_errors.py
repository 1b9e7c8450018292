from __future__ import annotations

import httpx
import pytest

from sidecar.upstream.errors import Disconnected, Malformed, NeverProcessed


@pytest.mark.parametrize("ours", [Disconnected, NeverProcessed, Malformed])
def test_callers_of_httpx_need_to_know_none_of_our_exceptions(ours: type[Exception]) -> None:
    assert issubclass(ours, httpx.RemoteProtocolError)
