"""What a caller asks for, free of any wire format."""

from __future__ import annotations

import enum
from typing import Any, Literal

import msgspec

from sidecar.core.target import PhaseTimeouts


class Role(enum.Enum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Text(msgspec.Struct, frozen=True, tag=True):
    text: str


class ImageUrl(msgspec.Struct, frozen=True, tag=True):
    """An image by address (https: or data: URL); `detail` is passed on where known."""

    url: str
    detail: str = ""


class Image(msgspec.Struct, frozen=True, tag=True):
    """An image by its bytes, with its media type such as image/png."""

    data: bytes
    media_type: str


ContentPart = Text | ImageUrl | Image


class ToolUse(msgspec.Struct, frozen=True):
    """A tool call of an earlier assistant turn; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True):
    """One turn. `reasoning`, `signature`, `tool_calls` belong to assistant turns, `tool_call_id`
    to tool turns."""

    role: Role
    content: tuple[ContentPart, ...] = ()
    reasoning: str = ""
    signature: str = ""
    tool_calls: tuple[ToolUse, ...] = ()
    tool_call_id: str = ""

    @property
    def text(self) -> str:
        """All text parts, concatenated."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """`named` carries the tool's name in `name`."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""


class ResponseFormat(msgspec.Struct, frozen=True):
    """`json_schema` carries a schema and its name."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str = ""
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class Effort(enum.Enum):
    """How hard to think, weakest first."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MAX = "max"


class ReasoningOptions(msgspec.Struct, frozen=True):
    """None means the provider's default. `deliver` False: paid for, not sent."""

    effort: Effort | None = None
    token_budget: int | None = None
    deliver: bool = True


class Priority(enum.IntEnum):
    """Smaller goes first."""

    INTERACTIVE = 0
    NORMAL = 1
    BATCH = 2


class OnInterruption(enum.Enum):
    """What may happen once text was delivered and the stream broke."""

    RESUME = "resume"
    RESTART = "restart"
    FAIL = "fail"


class CachePolicy(msgspec.Struct, frozen=True):
    """May an equal earlier request's answer be given? Off unless the caller asks."""

    read: bool = False
    write: bool = False
    ttl_s: float = 300.0


class Completion(msgspec.Struct, frozen=True):
    """The payload that both doors share. None means: the provider's default."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    reasoning: ReasoningOptions = ReasoningOptions()
    priority: Priority = Priority.NORMAL
    caller: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    on_interruption: OnInterruption | None = None
    max_cost_nano_usd: int | None = None
    cache: CachePolicy = CachePolicy()
    timeouts: PhaseTimeouts = PhaseTimeouts()
    provider_options: dict[str, Any] = {}


class Request(msgspec.Struct, frozen=True):
    """One request inside the daemon. `deadline` is loop time in seconds (absolute)."""

    id: str
    completion: Completion
    deadline: float
    received: float
    traceparent: str = ""
    tracestate: str = ""


class Prefix(msgspec.Struct, frozen=True):
    """Text so far that an attempt is to continue from."""

    reasoning: str = ""
    answer: str = ""
