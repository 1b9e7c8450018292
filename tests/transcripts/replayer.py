"""A provider that answers each model's name with its recording, cut at random."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Iterator

from sidecar.providers.replay import NAMES
from sidecar.providers.table import PROFILES
from tests.providers.recorded import Recording, cut_at_random
from tests.support.configs import Config

# What belongs to the connection it was recorded on.
_HOP = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})
_IN_PATH = re.compile(r"/models/([^:/]+):")


def slug(recording: Recording) -> str:
    """The recording's id as the name of a model."""
    return recording.id.replace("/", "--")


def provider_name(recording: Recording) -> str:
    """The built-in provider that was recorded, or a name for one of our own making."""
    own = recording.provider
    if recording.kind == "error":
        # A rejected key rests: each refusal has a provider of its own.
        return f"refusing-{slug(recording)}"
    dialect = NAMES[recording.dialect]
    for name in (own, f"{own}-{recording.dialect}", f"{own}-compatible"):
        if name in PROFILES and PROFILES[name].dialect == dialect:
            return name
    return f"recorded-{recording.dialect}"


def providers(recorded: list[Recording], base_url: str) -> Config:
    """The section of the configuration: every recorded provider, at the replayer's address."""
    account = {"keys": [{"name": "k", "env": "DEEPSEEK_KEY"}]}
    section: Config = {}
    for recording in recorded:
        entry = {"base_url": base_url, "accounts": {"a": account}}
        name = provider_name(recording)
        section[name] = entry if name in PROFILES else {**entry, "dialect": dialect_of(recording)}
    return section


def dialect_of(recording: Recording) -> str:
    return NAMES[recording.dialect]


class Replayer:
    """Listens while entered."""

    def __init__(self, recorded: list[Recording]) -> None:
        self._recorded = {slug(recording): recording for recording in recorded}
        self.asked: list[str] = []

    async def __aenter__(self) -> Replayer:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            model = await _asked_model(reader)
            self.asked.append(model)
            await _serve(self._recorded[model], writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the daemon hung up, as it may behind the end mark
        finally:
            writer.close()


async def _asked_model(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"(?im)^content-length: *(\d+)", head)
    body = json.loads(await reader.readexactly(int(length[1]) if length else 0))
    in_path = _IN_PATH.search(head.partition("\r\n")[0])
    return in_path[1] if in_path else str(body["model"])


async def _serve(recording: Recording, writer: asyncio.StreamWriter) -> None:
    lines = [f"HTTP/1.1 {recording.status} Recorded", *_headers(recording)]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    for piece in cut_at_random(recording.body, zlib.crc32(recording.id.encode())):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _headers(recording: Recording) -> Iterator[str]:
    yield "transfer-encoding: chunked"
    yield "connection: close"
    for name, value in recording.headers.items():
        if name.lower() not in _HOP:
            yield f"{name}: {value}"
