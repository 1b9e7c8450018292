"""No bytes make a decoder raise, and no cut changes what it tells."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.events import Answer, Reasoning, Refusal, ToolCall
from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import ProviderProfile, Quirks, target
from sidecar.providers.table import DIALECTS
from tests.providers.recorded import Recording, cut_at_random, outcome, recordings

ANSWERS = recordings("stream", "sync")
NAMES = sorted(DIALECTS)
SMALL = [r for r in ANSWERS if len(r.body) < 12_000]
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


def decoder(dialect: str, stream: bool) -> Decoder:
    profile = ProviderProfile("x", dialect, "", quirks=Quirks(think_tags="auto"))
    return DIALECTS[dialect].decoder(target(profile, "m"), stream)


def fed(subject: Decoder, pieces: list[bytes]) -> None:
    """Feed, and check what must hold for any stream whatever."""
    deltas = [delta for piece in pieces for delta in subject.feed(piece)] + subject.end()
    for delta in deltas:
        assert isinstance(delta, Reasoning | Answer | ToolCall | Refusal)
        for name in delta.__struct_fields__:
            value = getattr(delta, name)
            assert name == "index" or value.encode("utf-8") is not None
    assert subject.done == (subject.failure is None)
    assert subject.failure is not None or subject.report.finish_reason is not None
    usage = subject.report.usage
    if usage is not None:
        assert 0 <= usage.reasoning_tokens <= usage.output_tokens
        assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens


def mutated(body: bytes, seed: int) -> bytes:
    """`body` with a few bytes lost, doubled, changed or moved."""
    rng = random.Random(seed)
    made = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at, size = rng.randrange(len(made) + 1), rng.choice((1, 1, 2, 10, 200))
        change = rng.randrange(4)
        if change == 0:
            del made[at : at + size]
        elif change == 1:
            made[at:at] = made[at : at + size]
        elif change == 2:
            made[at : at + 1] = bytes([rng.choice(b'\n\r:{}[]",\\ \x00\xff0')])
        else:
            made[at:at] = rng.choice((b"\n\n", b"\r", b"\r\n", b"<think>", b"</think>", b"null"))
    return bytes(made)


def reshaped(body: bytes, values: list[Any], seed: int) -> bytes:
    """`body` with JSON values replaced by others, so that it still parses."""
    rng = random.Random(seed)
    lines = []
    for line in body.split(b"\n"):
        head = b"data: " if line.startswith(b"data: ") else b""
        try:
            document = json.loads(line[len(head) :])
        except ValueError:
            lines.append(line)
            continue
        if isinstance(document, dict) and rng.random() < 0.4:
            _replace(document, rng, values)
        lines.append(head + json.dumps(document).encode("utf-8", "replace"))
    return b"\n".join(lines)


def _replace(place: Any, rng: random.Random, values: list[Any]) -> None:
    for _ in range(8):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and rng.random() < 0.7:
            place = inner
            continue
        place[key] = rng.choice(values)
        return


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "sync"])
@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(body=st.binary(max_size=400))
def test_any_bytes_are_survived(name: str, stream: bool, body: bytes) -> None:
    fed(decoder(name, stream), [body])


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "sync"])
@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(documents=st.lists(JSON, max_size=4))
def test_any_json_is_survived(name: str, stream: bool, documents: list[Any]) -> None:
    texts = [json.dumps(document).encode("utf-8", "surrogatepass") for document in documents]
    body = b"\n".join(texts) if not stream else b"".join(b"data: " + t + b"\n\n" for t in texts)
    fed(decoder(name, stream), [body])


@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(recording=st.sampled_from(SMALL), seed=st.integers(0, 2**32))
def test_a_garbled_recording_is_survived(name: str, recording: Recording, seed: int) -> None:
    """Any dialect's recording, in any other dialect's decoder."""
    fed(decoder(name, recording.kind == "stream"), [mutated(recording.body, seed)])


@FUZZ
@given(
    recording=st.sampled_from(SMALL),
    seed=st.integers(0, 2**32),
    values=st.lists(JSON, min_size=3, max_size=6),
)
def test_other_values_in_known_places_are_survived(
    recording: Recording, seed: int, values: list[Any]
) -> None:
    body = reshaped(recording.body, values, seed)
    fed(recording.decoder(), [body])


@FUZZ
@given(recording=st.sampled_from(SMALL), seed=st.integers(0, 2**32))
def test_a_garbled_recording_tells_the_same_however_it_is_cut(
    recording: Recording, seed: int
) -> None:
    body = mutated(recording.body, seed)
    whole = outcome(recording.decoder(), [body])
    assert outcome(recording.decoder(), cut_at_random(body, seed)) == whole


@FUZZ
@given(recording=st.sampled_from(recordings("error")), seed=st.integers(0, 2**32))
def test_a_garbled_error_body_is_classified(recording: Recording, seed: int) -> None:
    body = mutated(recording.body, seed)
    headers = {"retry-after": body[:20].decode("latin-1")}
    dialect = DIALECTS["openai-chat"]
    profile = target(ProviderProfile("x", "openai-chat", ""), "m")
    failure = dialect.failure(recording.status, headers, body, profile, 10**18)
    assert failure.message.encode("utf-8")
    assert len(failure.message) <= 300


@FUZZ
@given(document=JSON, status=st.integers(100, 599))
def test_any_json_is_classified_as_an_error(document: Any, status: int) -> None:
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    profile = target(ProviderProfile("x", "openai-chat", ""), "m")
    failure = DIALECTS["openai-chat"].failure(status, {}, body, profile, 10**18)
    assert failure.message.encode("utf-8")


@pytest.mark.parametrize("depth", [100, 5_000, 200_000])
@pytest.mark.parametrize("name", NAMES)
def test_deep_nesting_is_survived(name: str, depth: int) -> None:
    fed(decoder(name, False), [b"[" * depth])
    fed(decoder(name, True), [b"data: " + b'{"a":' * depth + b"\n\n"])
    fed(decoder(name, True), [b"{" * depth])
