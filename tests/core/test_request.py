"""What a caller asks for, as values."""

from __future__ import annotations

from sidecar.core.request import Image, ImageUrl, Message, Priority, Role, Text
from sidecar.core.target import Target


def test_the_text_of_a_message_is_its_text_parts_joined() -> None:
    parts = (Text("one "), ImageUrl("https://example.org/x.png"), Text("two"), Image(b"", "x"))
    assert Message(Role.USER, parts).text == "one two"


def test_a_smaller_priority_goes_first() -> None:
    assert sorted([Priority.BATCH, Priority.INTERACTIVE, Priority.NORMAL]) == list(Priority)


def test_a_target_is_called_by_provider_and_model() -> None:
    assert Target("openrouter", "anthropic/claude").name == "openrouter/anthropic/claude"
