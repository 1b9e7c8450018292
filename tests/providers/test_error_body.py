"""Error bodies of all shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.providers.error_body import facts_of, facts_of_body

SHAPES: dict[str, Any] = {
    "openai": {"error": {"message": "no", "type": "t", "code": "c", "param": None}},
    "anthropic": {"type": "error", "error": {"type": "t", "message": "no"}},
    "gemini array": [{"error": {"code": 400, "message": "no", "status": "T"}}],
    "xai flat": {"code": "t", "error": "no"},
    "mistral detail": {"detail": "no"},
    "mistral nested": {"object": "error", "message": {"detail": [{"type": "t", "msg": "no"}]}},
    "litellm list": {"errors": [{"message": "no", "code": "t"}]},
    "message alone": {"message": "no", "code": "t"},
    "a string": "no",
    "ollama": {"error": "no"},
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_message_is_found_in_every_shape(name: str) -> None:
    assert facts_of(SHAPES[name]).message == "no"


def test_all_machine_words_are_kept_in_lower_case_best_first() -> None:
    assert facts_of(SHAPES["openai"]).codes == ("c", "t")
    assert facts_of(SHAPES["gemini array"]).codes == ("t",)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"status_code": 400}, 400),
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"code": 3230}, 0),
        ({"code": True}, 0),
        ({}, 0),
    ],
)
def test_a_status_inside_the_body_is_found(error: dict[str, Any], status: int) -> None:
    assert facts_of({"error": error}).status == status


def test_googles_details_are_read() -> None:
    details = [
        {"reason": "API_KEY_INVALID"},
        {"violations": [{"quotaId": "RequestsPerDay"}]},
        {"retryDelay": "48s"},
    ]
    facts = facts_of({"error": {"details": details}})
    assert facts.codes == ("api_key_invalid", "quota_per_day")
    assert facts.retry_after_s == 48.0


def test_an_aggregators_raw_body_is_unwrapped() -> None:
    raw = json.dumps({"error": {"message": "too long"}})
    facts = facts_of({"error": {"message": "x", "metadata": {"raw": raw, "provider_name": "P"}}})
    assert facts.message == "x: too long"
    assert facts.upstream == "P"


def test_a_page_is_not_an_error_document() -> None:
    facts = facts_of_body(b"  <html><body>secret</body></html>")
    assert not facts.readable
    assert "secret" not in facts.message


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\xfe"])
def test_a_body_that_says_nothing_is_survived(body: bytes) -> None:
    assert facts_of_body(body).codes == ()
