"""A stream as bytes and back: nothing is lost on the way."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptCause,
    AttemptSummary,
    Completed,
    Continuation,
    Event,
    FinishReason,
    Outcome,
    Reasoning,
    Refusal,
    Saved,
    Timings,
    ToolCall,
)
from sidecar.core.failure import Reason, RequestFailed, Violation
from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.gateway import tape

COUNT = st.integers(0, 2**53)
SECONDS = st.floats(0.0, 1e6)
WORDS = st.text(max_size=8)
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, st.booleans())
COSTS = st.builds(Cost, COUNT, COUNT, COUNT, st.booleans())
BEGAN = st.builds(
    AttemptBegan, COUNT, WORDS, WORDS, WORDS, st.sampled_from(AttemptCause),
    st.sampled_from(Continuation), WORDS, COUNT, SECONDS,
)  # fmt: skip
SUMMARIES = st.builds(
    AttemptSummary, COUNT, WORDS, WORDS, WORDS, st.sampled_from(AttemptCause),
    st.sampled_from(Continuation), st.sampled_from(Outcome), WORDS, USAGES, COSTS, SECONDS,
)  # fmt: skip
TIMINGS = st.builds(Timings, SECONDS, SECONDS, st.none() | SECONDS, st.none() | SECONDS, SECONDS)
COMPLETED = st.builds(
    Completed, st.sampled_from(FinishReason), USAGES, COSTS, TIMINGS,
    st.lists(SUMMARIES, max_size=2).map(tuple), WORDS, st.booleans(),
    st.builds(Saved, COUNT, COUNT, COUNT),
)  # fmt: skip
EVENTS = st.lists(
    st.one_of(
        BEGAN,
        COMPLETED,
        st.builds(Reasoning, WORDS, WORDS),
        st.builds(Answer, WORDS),
        st.builds(ToolCall, st.integers(0, 9), WORDS, WORDS, WORDS),
        st.builds(Refusal, WORDS),
    ),
    max_size=6,
)
ERRORS = st.builds(
    lambda reason, message, wait_s, metadata, violations, field: RequestFailed(
        reason,
        message,
        retry_after_s=wait_s,
        metadata=metadata,
        violations=tuple(violations),
        field=field,
    ),
    st.sampled_from(Reason),
    WORDS,
    st.none() | SECONDS,
    st.dictionaries(WORDS, WORDS, max_size=3),
    st.lists(st.builds(Violation, WORDS, WORDS), max_size=2),
    WORDS,
)


@given(st.binary(max_size=20), EVENTS)
def test_a_stream_comes_back_as_it_was(digest: bytes, events: list[Event]) -> None:
    assert tape.decode(tape.encode(digest, events, None)) == (digest, events, None)


@given(EVENTS, ERRORS)
def test_an_error_comes_back_with_everything_it_says(
    events: list[Event], error: RequestFailed
) -> None:
    _, again, told = tape.decode(tape.encode(b"d", events, error))
    assert again == events
    assert told is not None
    assert vars(told) == vars(error)
    assert str(told) == str(error)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"not a tape", b"\x93\xc4\x01d\x91\x92\x63\x80\xc0"]
)
def test_bytes_of_somebody_else_are_an_error_that_readers_expect(data: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, IndexError, ValueError)):
        tape.decode(data)


@given(EVENTS.filter(bool), st.integers(1, 50))
def test_a_tape_cut_short_is_an_error_and_not_a_shorter_stream(
    events: list[Event], missing: int
) -> None:
    data = tape.encode(b"digest", events, None)
    with pytest.raises((msgspec.MsgspecError, IndexError, ValueError)):
        tape.decode(data[: -min(missing, len(data))])
