"""State that callers carry for us."""

from __future__ import annotations

from sidecar.providers import signature


def test_what_was_packed_comes_back() -> None:
    state = [{"type": "thinking", "thinking": "ä", "signature": "s"}]
    assert signature.unpack(signature.pack("anthropic", state), "anthropic") == state


def test_nothing_needs_no_signature() -> None:
    assert signature.pack("anthropic", []) == ""


def test_another_dialects_state_is_not_ours() -> None:
    packed = signature.pack("anthropic", [1])
    assert signature.unpack(packed, "gemini") is None
    assert not signature.foreign(packed)


def test_a_bare_signature_is_foreign() -> None:
    assert signature.foreign("EqkECkYIBxgC")
    assert not signature.foreign("")
    assert signature.unpack("EqkECkYIBxgC", "anthropic") is None


def test_a_broken_signature_is_none() -> None:
    assert signature.unpack("hw1.anthropic:{", "anthropic") is None
