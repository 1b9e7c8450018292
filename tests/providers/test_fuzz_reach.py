"""A fuzzer begins with inputs that say something, and that get into the decoder."""

from __future__ import annotations

import pytest

from sidecar.providers.table import DIALECTS
from tests.providers import fuzz_reach
from tests.providers.fuzz_seeds import DECODERS, MAX_SEED_BYTES, seeds, shortened, words

NAMES = sorted(DIALECTS)


def test_every_dialect_has_its_decoder_here() -> None:
    assert sorted(DECODERS) == NAMES


@pytest.mark.parametrize("dialect", NAMES)
def test_the_seeds_alone_are_meaningful(dialect: str) -> None:
    assert fuzz_reach.meaningful(seeds(dialect)) >= 2 * fuzz_reach.LEAST_SEEDS


@pytest.mark.parametrize("dialect", NAMES)
def test_the_inputs_reach_nearly_every_line_of_the_decoder(dialect: str) -> None:
    assert fuzz_reach.sound(dialect) == ""


@pytest.mark.parametrize("dialect", NAMES)
def test_inputs_of_a_byte_are_told_to_be_hollow(dialect: str) -> None:
    lines, share = fuzz_reach.missed(dialect, [b"\0", b"\n", b"\1{"])
    assert lines
    assert share < fuzz_reach.LEAST_SHARE


@pytest.mark.parametrize("dialect", NAMES)
def test_the_words_are_those_of_the_decoder(dialect: str) -> None:
    known = {"ollama": "done_reason", "typed-event": "reasoning_tokens", "gemini": "finishReason"}
    assert {known.get(dialect, "usage"), "[DONE]", "<think>"} <= set(words(dialect))


def test_a_long_stream_keeps_its_beginning_and_its_end() -> None:
    events = [b'data: {"number": %d}' % number for number in range(2000)]
    short = shortened(b"\n\n".join(events) + b"\n\n")
    assert len(short) <= MAX_SEED_BYTES
    assert short.startswith(events[0])
    assert short.endswith(events[-1] + b"\n\n")
