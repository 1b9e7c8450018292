"""No bytes make a decoder raise, and no cut changes what it tells."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.providers.dialect import Decoder
from sidecar.providers.profiles import ProviderProfile, Quirks, target
from sidecar.providers.table import DIALECTS
from tests.providers.fuzzing import fed
from tests.providers.mangling import mutated, reshaped
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
    fed(decoder(name, recording.kind == "stream"), [mutated(recording.body, random.Random(seed))])


@FUZZ
@given(
    recording=st.sampled_from(SMALL),
    seed=st.integers(0, 2**32),
    values=st.lists(JSON, min_size=3, max_size=6),
)
def test_other_values_in_known_places_are_survived(
    recording: Recording, seed: int, values: list[Any]
) -> None:
    body = reshaped(recording.body, random.Random(seed), tuple(values))
    fed(recording.decoder(), [body])


@FUZZ
@given(recording=st.sampled_from(SMALL), seed=st.integers(0, 2**32))
def test_a_garbled_recording_tells_the_same_however_it_is_cut(
    recording: Recording, seed: int
) -> None:
    body = mutated(recording.body, random.Random(seed))
    whole = outcome(recording.decoder(), [body])
    assert outcome(recording.decoder(), cut_at_random(body, seed)) == whole


@FUZZ
@given(recording=st.sampled_from(recordings("error")), seed=st.integers(0, 2**32))
def test_a_garbled_error_body_is_classified(recording: Recording, seed: int) -> None:
    body = mutated(recording.body, random.Random(seed))
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
