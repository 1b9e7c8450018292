"""Errors inside a stream that began with 200, in every form that providers use.

Each form is the list of steps that comes instead of the rest of the stream. Their shapes are those
of the failure card, H10 to H20, and of the recordings it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from sidecar.core.usage import Usage
from sidecar.testing.actions import Action, Cut, Finish, Head, How, Kind, Send
from sidecar.testing.dialects.base import sse
from sidecar.testing.faults.base import Args
from sidecar.testing.faults.cuts import after_tokens
from sidecar.testing.speech import Case

Form = Callable[[Case, Usage], list[Action]]

_RATE = {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
_QUOTA = {
    "type": "insufficient_quota",
    "code": "insufficient_quota",
    "message": "You exceeded your current quota.",
    "param": None,
}
_GOOGLE = {
    "error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"},
}
_GROQ = {
    "message": "Tool call validation failed: parameters for tool did not match schema",
    "type": "invalid_request_error",
    "code": "tool_use_failed",
    "failed_generation": '{"name": "never-show-this"}',
    "status_code": 400,
}


def fail(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """An error of this FORM after K tokens (0: after the opening event)."""
    form, count = FORMS[args["FORM"]], int(args.get("K", 0))
    instead = form(case, _so_far(case, count)) if case.asked.stream else _whole(case, args)
    return after_tokens(steps, count, instead)


def fail_first(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """An error of this FORM as the very first event."""
    if not case.asked.stream:
        yield from _whole(case, args)
        return
    for step in steps:
        if isinstance(step, Send):
            yield from FORMS[args["FORM"]](case, _so_far(case, 0))
            return
        yield step


def fail_late(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """An error of this FORM after the finish reason: the answer stands."""
    held: list[Action] = FORMS[args["FORM"]](case, case.speech.usage)
    for step in steps:
        yield step
        if isinstance(step, Send) and step.kind is Kind.FINISH:
            yield from held
            return


def _whole(case: Case, args: Args) -> list[Action]:
    """A whole answer with that finish reason, or 200 with nothing but an error in it."""
    reason = FINISH_REASONS.get(args["FORM"])
    if reason is None:
        body = msgspec.json.encode({"error": {"code": 502, "message": "Provider returned error"}})
    else:
        body = case.renderer.whole(replace(case.speech, finish=reason), case.speech.usage)
    length = ("content-length", str(len(body)))
    head = Head(200, (("content-type", "application/json"), length))
    return [head, Send(body, Kind.WHOLE), Finish()]


def _so_far(case: Case, count: int) -> Usage:
    reasoning = min(count, len(case.speech.reasoning))
    return replace(case.speech.usage, output_tokens=count, reasoning_tokens=reasoning)


def _send(*events: bytes) -> list[Action]:
    return [*(Send(event) for event in events), Finish()]


def _responses(error: dict[str, Any]) -> Form:
    failed = {"id": "resp_fake", "status": "failed", "error": _QUOTA}
    return lambda case, usage: _send(
        sse({"type": "error", "sequence_number": 9, **error}, "error"),
        sse({"type": "response.failed", "response": failed}, "response.failed"),
    )


def _anthropic(kind: str, message: str) -> Form:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return lambda case, usage: [Send(sse(error, "error")), Cut(How.CLOSE)]


def _bare(case: Case, usage: Usage) -> list[Action]:
    return _send(msgspec.json.format(msgspec.json.encode(_GOOGLE), indent=2) + b"\n")


def _openrouter(case: Case, usage: Usage) -> list[Action]:
    error = {"code": 502, "message": "Provider returned error", "metadata": {"provider_name": "Up"}}
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    chunk = {"id": "gen-fake", "provider": "Up", "error": error, "choices": [choice]}
    return _send(sse(chunk), sse(b"[DONE]"))


def _finish_reason(reason: str) -> Form:
    def form(case: Case, usage: Usage) -> list[Action]:
        told = None if case.plan.told == "none" else usage
        pieces = case.renderer.closing(reason, told)
        return [*(Send(piece.data, piece.kind) for piece in pieces), Finish()]

    return form


FINISH_REASONS = {
    "deepseek": "insufficient_system_resource",
    "finish": "error",
    "filter": "content_filter",
}

FORMS: dict[str, Form] = {
    "openai": lambda case, usage: _send(
        sse({"error": {"message": "boom", "type": "server_error"}})
    ),
    "rate": lambda case, usage: _send(sse({"error": _RATE}), sse(b"[DONE]")),
    "responses-nested": _responses({"error": _QUOTA}),
    "responses-flat": _responses(_QUOTA | {"type": "error"}),
    "anthropic": _anthropic("overloaded_error", "Overloaded"),
    "anthropic-api": _anthropic("api_error", "Internal server error"),
    "google-bare": _bare,
    "google-data": lambda case, usage: _send(sse(_GOOGLE)),
    "groq": lambda case, usage: _send(sse({"error": _GROQ}, "error")),
    "openrouter": _openrouter,
    "gpustack": lambda case, usage: _send(b'error: {"code":500,"message":"upstream died"}\n\n'),
    "ollama": lambda case, usage: _send(b'{"error":"model runner has stopped"}\n'),
    "vllm": lambda case, usage: _send(
        sse({"error": {"object": "error", "message": "engine died", "code": 500}}), sse(b"[DONE]")
    ),
    **{name: _finish_reason(reason) for name, reason in FINISH_REASONS.items()},
}
