"""Judge request bodies by the SDKs' types, in the environment that install.py makes.

Reads lines of standard input, in each the name of a schema and a body as a JSON list; answers each
with a line, the list of its complaints: empty where the body fits. A key that the type does not
have is a complaint.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import anthropic.types.message_create_params
import fireworks.types.chat.completion_create_params
import groq.types.chat.completion_create_params
import mistralai.client.models
import ollama
import openai.types.chat.completion_create_params
import openai.types.responses.response_create_params
import openrouter.components
import perplexity.types.chat.completion_create_params
import together.types.chat.completion_create_params
from google.genai import types as google
from google.genai.interactions import CreateModelInteraction
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel


class GenerateContent(BaseModel):
    """The body of Gemini's own door. Its SDK has types for the parts, and puts them together in
    code (`GenerateContentConfig` to a request)."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    contents: list[google.Content]
    system_instruction: google.Content | None = None
    generation_config: google.GenerationConfig | None = None
    tools: list[google.Tool] | None = None
    tool_config: google.ToolConfig | None = None


class OllamaMessage(ollama.Message):
    """An image is an object in its own type, which writes it as base64."""

    images: list[str] | None = None


class OllamaChat(ollama._types.ChatRequest):
    """Its own type lets any mapping through as a message."""

    messages: list[OllamaMessage]


TYPES: dict[str, Any] = {
    "anthropic": anthropic.types.message_create_params.MessageCreateParamsStreaming,
    "fireworks": fireworks.types.chat.completion_create_params.CompletionCreateParamsStreaming,
    "gemini": GenerateContent,
    "gemini-interactions": CreateModelInteraction,
    "groq": groq.types.chat.completion_create_params.CompletionCreateParams,
    "mistral": mistralai.client.models.ChatCompletionStreamRequest,
    "ollama": OllamaChat,
    "openai": openai.types.chat.completion_create_params.CompletionCreateParamsStreaming,
    "openai-responses": (
        openai.types.responses.response_create_params.ResponseCreateParamsStreaming
    ),
    "openrouter": openrouter.components.ChatRequest,
    "perplexity": perplexity.types.chat.completion_create_params.CompletionCreateParamsStreaming,
    "together": together.types.chat.completion_create_params.CompletionCreateParamsStreaming,
}


def complaints(name: str, body: Any) -> Iterator[str]:
    for error in validator_of(name).iter_errors(body):
        nearest = best_match([error])
        place = ".".join(str(step) for step in nearest.absolute_path) or "body"
        yield f"{place}: {nearest.message[:300]}"


@cache
def validator_of(name: str) -> Draft202012Validator:
    schema = TypeAdapter(TYPES[name]).json_schema()
    closed(schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def closed(node: Any) -> None:
    """Close every object whose keys the type names. Others are let through otherwise: by types of
    keys by their nature, by some models so that answers may grow."""
    if isinstance(node, dict):
        tolerant = node.get("additionalProperties", True) is True
        if node.get("type") == "object" and "properties" in node and tolerant:
            node["additionalProperties"] = False
        for below in node.values():
            closed(below)
    elif isinstance(node, list):
        for below in node:
            closed(below)


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(list(complaints(*json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
