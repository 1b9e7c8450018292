"""What a caller may say about a completion: the keyword arguments of `stream` and `complete`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

from headway.v1 import message_pb2, request_pb2

Effort: TypeAlias = Literal["none", "low", "medium", "high", "max"]
Messages: TypeAlias = str | Sequence[Mapping[str, Any] | message_pb2.Message]
Tools: TypeAlias = Sequence[Mapping[str, Any] | request_pb2.Tool]


class Options(TypedDict, total=False):
    """Everything but model and messages. Left out, or None: the provider's or the route's default.

    The API's `Completion` message has the full account of each; names and units are the same.
    """

    max_tokens: int | None
    """Most output tokens, reasoning included."""
    temperature: float | None
    top_p: float | None
    stop: str | Sequence[str] | None
    """The answer ends before any of these texts."""
    seed: int | None
    presence_penalty: float | None
    frequency_penalty: float | None

    tools: Tools | None
    """Dicts of name, description, parameters (a JSON Schema) and strict, or `Tool` messages."""
    tool_choice: str | request_pb2.ToolChoice | None
    """"auto", "none", "required", or the name of the one tool that must be called."""
    response_format: str | Mapping[str, Any] | request_pb2.ResponseFormat | None
    """"text", "json_object", or a dict of name, schema and strict."""

    reasoning: Effort | int | request_pb2.Reasoning | None
    """How much to think: an effort, or a budget in tokens."""
    include_reasoning: bool | None
    """False: the chain of thought is paid for but not sent."""

    priority: Literal["interactive", "normal", "batch"] | None
    caller: str | None
    """Who pays: the name in the ledger, and in the fair queue."""
    labels: Mapping[str, str] | None

    on_interruption: Literal["resume", "restart", "fail"] | None
    """What may happen when a stream breaks after text was delivered."""
    max_cost_nano_usd: int | None
    cache: Literal["bypass", "read", "write", "read_write"] | None
    cache_ttl_s: float | None

    provider_options: Mapping[str, Any] | None
    """Passed to the provider verbatim."""
