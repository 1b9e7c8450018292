"""Requests as messages, for tests that speak gRPC without our client."""

from __future__ import annotations

from typing import Any

from headway.v1 import message_pb2, request_pb2


def asking(model: str, text: str = "When does it leave?", **fields: Any) -> request_pb2.Completion:
    """One question of a user."""
    part = message_pb2.ContentPart(text=text)
    message = message_pb2.Message(role=message_pb2.ROLE_USER, content=[part])
    return request_pb2.Completion(model=model, messages=[message], **fields)
