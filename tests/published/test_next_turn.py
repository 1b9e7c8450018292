"""What a provider signed goes back with the next turn, and that turn fits its published types.

The turns are those that recorded traffic brought: decoded, and encoded again for the same company.
"""

from __future__ import annotations

import msgspec
import pytest

from sidecar.core.events import Answer, Delta, Reasoning, ToolCall
from sidecar.core.request import Completion, Message, Role, Text, ToolUse
from sidecar.providers.profiles import target
from sidecar.providers.replay import NAMES
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import say
from tests.providers.golden import KEY, TARGETS
from tests.providers.recorded import Recording, recordings
from tests.published.extensions import for_target, without
from tests.published.judging import Judge

pytestmark = [pytest.mark.process, pytest.mark.slow]


def assistant(deltas: list[Delta]) -> Message:
    """The turn as a caller would keep it."""
    pieces = [delta for delta in deltas if isinstance(delta, ToolCall)]
    calls = {index: [p for p in pieces if p.index == index] for index in {p.index for p in pieces}}
    answer = "".join(delta.text for delta in deltas if isinstance(delta, Answer))
    thoughts = [delta for delta in deltas if isinstance(delta, Reasoning)]
    return Message(
        Role.ASSISTANT,
        (Text(answer),) if answer else (),
        reasoning="".join(thought.text for thought in thoughts),
        signature=next((t.signature for t in reversed(thoughts) if t.signature), ""),
        tool_calls=tuple(
            ToolUse(of[0].id, of[0].name, "".join(p.arguments for p in of))
            for _, of in sorted(calls.items())
        ),
    )


def turns() -> dict[str, tuple[str, Message]]:
    """By recording: the target of its company, and what it answered, where that goes back."""
    found = {}
    for recording in recordings("stream", "sync"):
        decoder = recording.decoder()
        said = assistant(decoder.feed(recording.body) + decoder.end())
        where = [name for name in TARGETS if _same_company(name, recording)]
        if where and (said.tool_calls or said.signature):
            found[recording.id] = (where[0], said)
    return found


def _same_company(name: str, recording: Recording) -> bool:
    provider = name.partition("/")[0]
    company = provider.removesuffix("-responses").removesuffix("-interactions")
    return (company, PROFILES[provider].dialect) == (recording.provider, NAMES[recording.dialect])


TURNS = turns()


@pytest.mark.parametrize("recorded", TURNS)
def test_the_turn_after_a_recorded_one_fits_the_types_of_its_provider(
    judge: Judge, recorded: str
) -> None:
    name, said = TURNS[recorded]
    results = [Message(Role.TOOL, (Text("31"),), tool_call_id=c.id) for c in said.tool_calls]
    after = results or [say(Role.USER, "And then?")]
    completion = Completion("m", (say(Role.USER, "Where is it warm?"), said, *after))
    provider, _, model = name.partition("/")
    made = target(PROFILES[provider], model)
    call = DIALECTS[PROFILES[provider].dialect].encode(completion, made, None, KEY, True)
    body = msgspec.json.decode(call.body)
    assert judge(name, without(body, for_target(name))[0]) == []


def test_every_kind_of_opaque_state_is_among_them() -> None:
    signed = {name.partition("/")[0] for name, said in TURNS.values() if said.signature}
    assert signed >= {"anthropic", "openai-responses", "gemini", "openrouter"}
    assert "gemini-interactions" in signed
