"""Provider text before anybody sees it."""

from __future__ import annotations

import pytest

from sidecar.providers.safe_text import MAX_CHARS, REDACTED, safe


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-AbCdEf0123456789",
        "sk-ant-api03-abcdef",
        "gsk_abcdefghijklmnop",
        "xai-0123456789abcdef",
        "hf_AbCdEfGhIjKl",
        "AIzaSyA-1234567890abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "pplx-0123456789",
        "0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.SflKx",
        "123e4567-e89b-12d3-a456-426614174000",
        "sk-****wxyz",
        "Bearer abcdefghij",
        "api_key=abcdefghij",
        "authorization: Basic dXNlcjpwYXNz",
    ],
)
def test_what_looks_like_a_key_is_redacted(secret: str) -> None:
    shown = safe(f"the provider says {secret} is wrong")
    assert REDACTED in shown
    assert secret.rsplit(maxsplit=1)[-1] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit reached for gpt-5.4-mini on tokens per min (TPM): Limit 30000",
        "models/gemini-2.5-flash-preview-09-2025 is not found",
        "claude-sonnet-4-20250514 is overloaded",
        "max_tokens: 4096 is more than 2048",
        "See https://platform.openai.com/account/api-keys.",
        "This model's maximum context length is 1048576 tokens.",
    ],
)
def test_plain_text_is_left_alone(text: str) -> None:
    assert safe(text) == text


def test_the_key_in_use_is_redacted_whatever_it_looks_like() -> None:
    assert safe("hunter is no key", "hunter") == f"{REDACTED} is no key"


def test_long_text_is_cut() -> None:
    assert len(safe("long " * 1000)) == MAX_CHARS


def test_control_characters_and_lines_become_blanks() -> None:
    assert safe("a\r\nb\x1b[31mc\x00d") == "a b [31mc d"


def test_a_hostile_text_costs_little() -> None:
    assert len(safe("a1" * 5_000_000)) <= MAX_CHARS
