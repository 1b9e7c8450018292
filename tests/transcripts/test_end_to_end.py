"""Every recording, over HTTP in random pieces, through a running daemon, to the client's hands."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from headway import AsyncClient, HeadwayError, Result

from tests.providers.recorded import Recording, outcome, recordings
from tests.providers.test_recordings import BROKEN, as_json
from tests.support.daemon import Daemon
from tests.transcripts.replayer import Replayer, provider_name, providers, slug

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

STREAMS = recordings("stream")
WHOLE = [r for r in recordings("stream", "sync") if r.id not in BROKEN]
TORN = [r for r in STREAMS if r.id in BROKEN]
ERRORS = recordings("error")
ALL = [*recordings("stream", "sync"), *ERRORS]
# Of each recorded refusal, the reason that a caller is told.
REASONS = {
    "anthropic/err-400-prefill-unsupported-quoted": "PROVIDER_REFUSED",
    "anthropic/err-401": "KEYS_REJECTED",
    "deepseek/err-400-tool-choice-thinking": "PROVIDER_REFUSED",
    "deepseek/err-401-auth": "KEYS_REJECTED",
    "deepseek/err-402-insufficient-balance-quoted": "SPEND_LIMIT",
    "gemini/err-400-key": "KEYS_REJECTED",
    # A model that a key does not know is that key's trouble: another account may have it.
    "gemini/err-404-stream": "KEYS_REJECTED",
    "llamacpp/err-400-context-overflow": "CONTEXT_TOO_LONG",
    "mistral/err-401-nonstandard": "KEYS_REJECTED",
    "openai/err-400-context-length": "CONTEXT_TOO_LONG",
    "openai/err-401": "KEYS_REJECTED",
    "openrouter/err-401": "KEYS_REJECTED",
    "openrouter/err-429-upstream": "ATTEMPTS_EXHAUSTED",
    "xai/err-400-key": "KEYS_REJECTED",
}
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def short_folder() -> Any:
    """A Unix socket's path must be short."""
    made = Path(tempfile.mkdtemp(prefix="hw"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="client")
async def _client(short_folder: Path) -> AsyncIterator[AsyncClient]:
    async with Replayer(ALL) as replayer:
        config = {
            "listen": [f"unix://{short_folder / 'headway.sock'}"],
            "providers": providers(ALL, replayer.base_url),
            "routes": {slug(r): route(r) for r in ALL},
            "ledger": {"path": str(short_folder / "ledger.db")},
        }
        daemon = Daemon(short_folder, config)
        try:
            await daemon.start()
            async with daemon.client() as client:
                yield client
        finally:
            await daemon.close()


def route(recording: Recording) -> dict[str, Any]:
    return {"targets": [f"{provider_name(recording)}/{slug(recording)}"], "retries": 0}


def each(recorded: list[Recording]) -> Any:
    return pytest.mark.parametrize("recording", recorded, ids=[r.id for r in recorded])


async def asked(client: AsyncClient, recording: Recording) -> Result:
    stream = client.stream(
        slug(recording), "What was said?", timeout_s=TIMEOUT_S, on_interruption="fail"
    )
    async with stream:
        return await stream.read()


def check_texts(got: Any, recording: Recording) -> None:
    expected = recording.expected
    split = expected.get("think_tags")
    assert (
        got.reasoning.strip()
        == (split["inner"] if split else expected.get("reasoning", "")).strip()
    )
    assert got.answer.strip() == (split["after"] if split else expected.get("answer", "")).strip()
    assert [(c.name, as_json(c.arguments)) for c in got.tool_calls] == [
        (c["name"], as_json(c["arguments"])) for c in expected.get("tool_calls") or []
    ]


@each(WHOLE)
async def test_a_recording_arrives_as_it_was_said(
    client: AsyncClient, recording: Recording
) -> None:
    got = await asked(client, recording)
    check_texts(got, recording)
    assert got.finish_reason.value == outcome(recording.decoder(), [recording.body])["finish"]
    told = recording.expected.get("usage") or {}
    tools = told.get("tool_use_prompt") or 0
    usage = {
        "input_total": got.usage.input_tokens - tools,
        "input_cached": got.usage.cached_input_tokens,
        "output_total": got.usage.output_tokens,
        "reasoning": got.usage.reasoning_tokens,
    }
    assert usage == {k: v if told.get(k) is None else told[k] for k, v in usage.items()}


@each(TORN)
async def test_a_torn_recording_ends_in_an_error_with_what_was_said(
    client: AsyncClient, recording: Recording
) -> None:
    with pytest.raises(HeadwayError) as raised:
        await asked(client, recording)
    check_texts(raised.value.result, recording)


@each(ERRORS)
async def test_a_recorded_refusal_is_told_by_its_reason(
    client: AsyncClient, recording: Recording
) -> None:
    with pytest.raises(HeadwayError) as raised:
        await asked(client, recording)
    assert raised.value.reason == REASONS[recording.id]
    assert raised.value.result.answer == ""
