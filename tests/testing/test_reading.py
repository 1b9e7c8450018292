"""From bytes to a request, and from a refusal to bytes."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.testing.asked import Incoming
from sidecar.testing.dialects.chat import CHAT
from sidecar.testing.reading import dialect_of, error_steps, json_steps, refusal, secret_in
from sidecar.testing.virtual import run


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"authorization": "Bearer sk-1"}, "sk-1"),
        ({"authorization": "sk-1"}, "sk-1"),
        ({"authorization": "Bearer "}, ""),
        ({}, ""),
    ],
)
def test_a_key_is_found_in_its_header(headers: dict[str, str], secret: str) -> None:
    assert secret_in(Incoming("POST", "/", headers, b""), CHAT) == secret


@pytest.mark.parametrize("path", ["/", "/chat", "/v1/models", "/chat/completions/x"])
def test_other_paths_belong_to_nobody(path: str) -> None:
    assert dialect_of(path) is None


def test_a_refusal_has_its_kinds_message_unless_it_has_its_own() -> None:
    assert refusal("balance").message == "Insufficient Balance"
    assert refusal("balance", "empty", 400).status == 400


def test_an_error_says_how_long_it_is() -> None:
    for steps in (error_steps(CHAT, "deepseek", refusal("rate")), json_steps(200, {"a": 1})):
        head: Any = next(steps)
        body: Any = next(steps)
        assert dict(head.headers)["content-length"] == str(len(body.data))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("/chat/completions", {"max_tokens": "many"}),
        ("/chat/completions", {"max_tokens": -1}),
        ("/chat/completions", {"thinking": "yes"}),
        ("/chat/completions", {"tools": ["x"]}),
        ("/v1/messages", {"max_tokens": 5, "thinking": "x"}),
        ("/v1/responses", {"input": []}),
        ("/v1/responses", {"input": "go", "reasoning": 7}),
        ("/api/chat", {"options": "x"}),
        ("/v1beta/models/fake-5:generateContent", {"contents": [{"parts": "x"}, {}], "tools": 5}),
    ],
)
def test_a_field_of_a_wrong_type_gets_400(
    new_world: Any, path: str, changes: dict[str, Any]
) -> None:
    async def main() -> None:
        assert (await new_world().ask("fake-5", path=path, **changes)).status == 400

    run(main())
