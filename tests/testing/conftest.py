"""A peer for the fake provider: httpx in memory, and a reader of streams that knows no product
code."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import httpx
import pytest

from sidecar.testing import virtual
from sidecar.testing.config import ProviderConfig
from sidecar.testing.journal import Entry
from sidecar.testing.provider import FakeProvider
from sidecar.testing.scripts import Script
from sidecar.testing.transport import FakeTransport

PROMPT = [{"role": "user", "content": "When does the next train leave?"}]


@dataclasses.dataclass
class Seen:
    """What the client of one attempt saw; `times` are those of the reads of its body."""

    status: int = 0
    headers: httpx.Headers = dataclasses.field(default_factory=httpx.Headers)
    body: bytes = b""
    error: httpx.HTTPError | None = None
    times: list[float] = dataclasses.field(default_factory=list)
    reads: list[bytes] = dataclasses.field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def payloads(self) -> list[str]:
        """The data of each whole event."""
        events = self.body.decode("utf-8", "replace").split("\n\n")[:-1]
        lines = [line for event in events for line in event.split("\n")]
        return [line[6:] for line in lines if line.startswith("data: ")]

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.payloads if payload != "[DONE]"]

    @property
    def done(self) -> bool:
        return "[DONE]" in self.payloads

    def _joined(self, *fields: str) -> str:
        deltas = [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(delta.get(field) or "" for delta in deltas for field in fields)

    @property
    def reasoning(self) -> str:
        return self._joined("reasoning_content", "reasoning")

    @property
    def answer(self) -> str:
        return self._joined("content")

    @property
    def finish(self) -> str | None:
        found = [c["finish_reason"] for chunk in self.chunks for c in chunk["choices"]]
        return next((reason for reason in found if reason), None)

    @property
    def usage(self) -> dict[str, Any] | None:
        return next((c["usage"] for c in reversed(self.chunks) if c.get("usage")), None)


class World:
    """A fake provider and a client of it, in one virtual loop."""

    def __init__(
        self,
        config: ProviderConfig | None = None,
        script: Script | None = None,
        seconds: float | None = None,
    ) -> None:
        self.clock = virtual.clock()
        self.provider = FakeProvider(config or ProviderConfig(), self.clock, script)
        self.transport = FakeTransport({"fake": self.provider}, self.clock)
        self.client = httpx.AsyncClient(transport=self.transport, timeout=seconds)

    @property
    def log(self) -> tuple[Entry, ...]:
        return self.provider.log

    async def ask(
        self,
        model: str,
        *,
        path: str = "/chat/completions",
        key: str = "sk-one",
        headers: dict[str, str] | None = None,
        hang_up_after: int | None = None,
        **body: Any,
    ) -> Seen:
        """One attempt; `hang_up_after` closes the connection after so many reads."""
        body = {"model": model, "stream": True, "messages": PROMPT} | body
        sent = {"authorization": f"Bearer {key}"} | (headers or {})
        return await self.send("POST", path, sent, json.dumps(body).encode(), hang_up_after)

    async def send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes = b"",
        hang_up_after: int | None = None,
    ) -> Seen:
        seen = Seen()
        request = self.client.build_request(
            method, f"http://fake{path}", headers=headers, content=body
        )
        try:
            response = await self.client.send(request, stream=True)
            seen.status, seen.headers = response.status_code, response.headers
            await self._read(response, seen, hang_up_after)
        except httpx.HTTPError as error:
            seen.error = error
        return seen

    async def _read(self, response: httpx.Response, seen: Seen, reads: int | None) -> None:
        try:
            async for data in response.aiter_bytes():
                seen.body += data
                seen.reads.append(data)
                seen.times.append(self.clock.now())
                if reads is not None and len(seen.reads) >= reads:
                    return
        finally:
            await response.aclose()


@pytest.fixture
def new_world() -> type[World]:
    """To be called inside a virtual loop."""
    return World
