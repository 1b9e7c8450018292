"""The fake and the product were written apart: here each provider's profile asks the fake, and its
decoder reads the answer."""

from __future__ import annotations

import httpx
import pytest

from sidecar.core.events import Answer, FinishReason, Reasoning
from sidecar.core.request import Completion, Effort, Message, ReasoningOptions, Role, Text
from sidecar.providers import profiles
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.testing import virtual
from sidecar.testing.config import ProviderConfig
from sidecar.testing.provider import FakeProvider
from sidecar.testing.texts import written
from sidecar.testing.transport import FakeTransport
from sidecar.testing.virtual import run

# Where the fake speaks each provider's flavour; "hidden" sends no reasoning text, "unsplit" does
# not tell how much of the output was reasoning.
BASES = {
    "deepseek": "",
    "openai": "/openai/v1",
    "mistral": "/mistral/v1",
    "openrouter": "/openrouter/api/v1",
    "groq": "/groq/openai/v1",
    "xai": "/xai/v1",
    "vllm": "/vllm/v1",
    "llamacpp": "/llamacpp/v1",
    "gpustack": "/gpustack/v1",
    "generic": "/v1",
    "anthropic": "/v1",
    "deepseek-messages": "/anthropic",
    "openai-responses": "/v1",
    "deepseek-responses": "",
    "gemini": "/v1beta",
    "gemini-interactions": "/v1beta",
    "ollama": "",
    "typed-event": "/typed",
}
HIDDEN = {"openai"}
UNSPLIT = {"ollama"}
WHOLE = written(0, 9, 8)
COMPLETION = Completion(
    model="any",
    messages=(Message(Role.USER, (Text("Two words"),)),),
    max_tokens=500,
    reasoning=ReasoningOptions(effort=Effort.HIGH),
)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("name", BASES)
def test_the_products_decoder_reads_what_the_fake_says_and_bills(name: str, stream: bool) -> None:
    async def main() -> None:
        provider = FakeProvider(ProviderConfig(), virtual.clock())
        target = profiles.target(PROFILES[name], "fake-reasoner-9-8")
        dialect = DIALECTS[PROFILES[name].dialect]
        call = dialect.encode(COMPLETION, target, None, "sk-1", stream)
        transport = FakeTransport({"fake": provider}, virtual.clock())
        async with httpx.AsyncClient(transport=transport, timeout=None) as client:
            url = f"http://fake{BASES[name]}{call.path}"
            response = await client.post(url, headers=dict(call.headers), content=call.body)
        decoder = dialect.decoder(target, stream, "sk-1")
        deltas = [*decoder.feed(response.content), *decoder.end()]
        reasoning = "".join(delta.text for delta in deltas if isinstance(delta, Reasoning))
        answer = "".join(delta.text for delta in deltas if isinstance(delta, Answer))
        assert decoder.failure is None
        assert decoder.report.finish_reason is FinishReason.STOP
        assert (reasoning, answer) == ("" if name in HIDDEN else WHOLE.reasoning, WHOLE.answer)
        told, billed = decoder.usage, provider.log[0].usage
        assert told is not None
        assert (told.input_tokens, told.output_tokens) == (2, 17)
        assert (billed.input_tokens, billed.output_tokens) == (2, 17)
        assert name in UNSPLIT or told.reasoning_tokens == billed.reasoning_tokens == 9

    run(main())
