"""Encoding a completion as a generateContent request."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import msgspec

from sidecar.core.request import (
    Completion,
    ContentPart,
    Image,
    ImageUrl,
    Message,
    Prefix,
    Role,
    Text,
    Tool,
    ToolChoice,
)
from sidecar.providers import auth, loose, options, signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.gemini.decode import DIALECT
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile

# Google's documented stand-in for a signature that was lost: a call that another provider made.
NO_SIGNATURE = "skip_thought_signature_validator"

_CONFIG = {
    "temperature": "temperature",
    "top_p": "topP",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    body = Body()
    thinks = options.reasoning(completion, target, body)
    if thinks:
        body.put("generationConfig.thinkingConfig.includeThoughts", completion.reasoning.deliver)
    contents = _contents(completion, target)
    if prefix is not None:
        contents.append(_prefix_turn(prefix, target, body))
    head: dict[str, Any] = {"contents": contents}
    system = "\n\n".join(m.text for m in completion.messages if m.role is Role.SYSTEM)
    if system:
        head["systemInstruction"] = {"parts": [{"text": system}]}
    body.fields = {**head, **body.fields}
    _config(completion, target, thinks, body)
    _tools(completion, body)
    _format(completion, target, body)
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        _path(target, stream),
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _path(target: TargetProfile, stream: bool) -> str:
    """Without `alt=sse` a stream is one JSON array, whole only at its end."""
    name = quote(target.upstream_model.removeprefix("models/"), safe="-._~@")
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{target.quirks.path or '/models'}/{name}:{verb}"


def _contents(completion: Completion, target: TargetProfile) -> list[dict[str, Any]]:
    """All turns but the system's; results of parallel calls belong into one turn."""
    names: dict[str, tuple[str, str]] = {}
    turns: list[dict[str, Any]] = []
    for message in completion.messages:
        if message.role is Role.SYSTEM:
            continue
        role = "model" if message.role is Role.ASSISTANT else "user"
        parts = _parts(message, names, target)
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return turns


def _parts(
    message: Message, names: dict[str, tuple[str, str]], target: TargetProfile
) -> list[dict[str, Any]]:
    """One turn. `names` learns what each call is called, for the results that follow."""
    if message.role is Role.TOOL:
        return [_result(message, names)]
    parts = [_part(part) for part in message.content if not isinstance(part, Text) or part.text]
    if message.role is Role.USER:
        return parts
    kept = loose.record(signature.unpack(message.signature, DIALECT))
    if parts and isinstance(kept.get("text"), str):
        parts[-1]["thoughtSignature"] = kept["text"]
    ids, signed = loose.record(kept.get("ids")), loose.record(kept.get("calls"))
    for index, call in enumerate(message.tool_calls):
        own = loose.text(ids.get(str(index)))
        names[call.id] = (call.name, own)
        made: dict[str, Any] = {"name": call.name, "args": _args(call.arguments)}
        part = {"functionCall": {**made, "id": own} if own else made}
        proof = loose.text(signed.get(str(index)))
        if not proof and index == 0 and target.quirks.signed_calls:
            proof = NO_SIGNATURE
        parts.append({**part, "thoughtSignature": proof} if proof else part)
    return parts


def _result(message: Message, names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    name, own = names.get(message.tool_call_id, (message.tool_call_id, ""))
    if any(not isinstance(part, Text) for part in message.content):
        raise Unsupported("messages", "a tool's result may hold only text here")
    result: dict[str, Any] = {"name": name, "response": object_of(message.text)}
    return {"functionResponse": {"id": own, **result} if own else result}


def object_of(text: str) -> dict[str, Any]:
    """An object is wanted: the text's own, or one around it."""
    try:
        parsed = loose.document(text.encode("utf-8", "replace"))
    except ValueError:
        parsed = text
    return parsed if isinstance(parsed, dict) else {"output": parsed}


def _args(arguments: str) -> dict[str, Any]:
    return object_of(arguments) if arguments.strip() else {}


def _part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Image):
        return _inline(part.media_type, base64.b64encode(part.data).decode())
    inline = options.image_address(part)
    if inline is not None:
        return _inline(*inline)
    return _file(part)


def _inline(media_type: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def _file(part: ImageUrl) -> dict[str, Any]:
    if part.url.startswith(("gs://", "https://generativelanguage.googleapis.com/")):
        return {"fileData": {"fileUri": part.url}}
    raise Unsupported("messages", "images must be sent as bytes: addresses are not fetched here")


def _prefix_turn(prefix: Prefix, target: TargetProfile, body: Body) -> dict[str, Any]:
    if target.resume == "none":
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if not prefix.answer:
        raise Unsupported("prefix", f"{target.model} takes no partial chain of thought")
    if prefix.reasoning:
        body.drop("prefix.reasoning")
    return {"role": "model", "parts": [{"text": prefix.answer}]}


def _config(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    config: dict[str, Any] = {
        _CONFIG[name]: value
        for name, value in options.tuning(completion, target, thinks, body).items()
    }
    if completion.max_tokens is not None:
        config["maxOutputTokens"] = completion.max_tokens
    if completion.stop:
        config["stopSequences"] = list(completion.stop)
    if config:
        body.merge({"generationConfig": config})


def _tools(completion: Completion, body: Body) -> None:
    if not completion.tools:
        return
    body.fields["tools"] = [{"functionDeclarations": [_tool(tool) for tool in completion.tools]}]
    if completion.tool_choice is not None:
        calling = _calling(completion.tool_choice)
        body.fields["toolConfig"] = {"functionCallingConfig": calling}


def _calling(choice: ToolChoice) -> dict[str, Any]:
    calling: dict[str, Any] = {"mode": _MODES[choice.mode]}
    if choice.mode == "named":
        calling["allowedFunctionNames"] = [choice.name]
    return calling


def _tool(tool: Tool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters:
        made["parametersJsonSchema"] = tool.parameters
    return made


def _format(completion: Completion, target: TargetProfile, body: Body) -> None:
    wanted = completion.response_format
    if wanted is None or wanted.kind == "text":
        return
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if wanted.kind == "json_schema":
        if not target.quirks.schema:
            raise Unsupported("response_format", f"{target.model} takes no JSON schema")
        config["responseJsonSchema"] = wanted.schema or {}
    body.merge({"generationConfig": config})
