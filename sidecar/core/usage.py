"""Tokens used, in one normal form whatever the provider's own arithmetic is."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Token counts of one attempt or a sum of attempts.

    `input_tokens` includes cached and cache-written input; `output_tokens` includes reasoning.
    `estimated` marks counts that the provider did not tell and that were made here.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def answer_tokens(self) -> int:
        """Output that is not reasoning (tool calls and refusals count as answer)."""
        return max(self.output_tokens - self.reasoning_tokens, 0)

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )


NOTHING = Usage()
