"""What Headway sends beyond a provider's published types, and on whose word.

The sources are those of the reference on wire formats: [R] recorded traffic, [D] the provider's
documentation, [S] source code, [K] general knowledge, each with the section.
"""

from __future__ import annotations

import copy
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

ANY = object()


class Extension(NamedTuple):
    """One row: at `path` in the bodies of `targets` (shell style) stands what the type lacks.

    Steps of a path are divided by dots; `name[]` is every item of a list, and `name[key=word]` at
    the end are those items whose `key` is that word. `value` other than ANY: only where it is that.
    """

    targets: str
    path: str
    source: str
    value: Any = ANY


EXTENSIONS = (
    # DeepSeek, Moonshot, Z.ai and Alibaba publish no types for their door; OpenAI's are compared.
    Extension("deepseek/*", "thinking", "[D] 2: on and off"),
    Extension("deepseek/*", "messages[].reasoning_content", "[D] 2: must come back in tool turns"),
    Extension("deepseek/*", "messages[].prefix", "[D] 2: chat prefix completion (beta)"),
    Extension("moonshot/kimi-k2.6", "thinking", "[D] its documentation: on and off"),
    Extension("moonshot/*", "messages[].reasoning_content", "[D] must come back in tool turns"),
    Extension("zai/*", "thinking", "[D] 11: on and off"),
    Extension("zai/*", "messages[].reasoning_content", "[D] preserved thinking in tool turns"),
    Extension("alibaba/*", "enable_thinking", "[K] 11"),
    Extension("alibaba/*", "thinking_budget", "[K] 11"),
    # Servers whose request types are no package of their own.
    Extension("vllm/*", "chat_template_kwargs", "[K] 10: the switch of thinking"),
    Extension("vllm/*", "continue_final_message", "[K] 10: prefill"),
    Extension("vllm/*", "add_generation_prompt", "[K] 10: prefill"),
    Extension("llamacpp/*", "chat_template_kwargs", "[S] its own README: the switch of thinking"),
    # DeepSeek's doors in the languages of others.
    Extension(
        "deepseek-messages/*",
        "thinking",
        "[S] 2: there is no budget, one would be ignored",
        {"type": "enabled"},
    ),
    Extension(
        "deepseek-messages/*",
        "messages[].content[type=thinking]",
        "[I] 2: thinking must come back in tool turns; it signs none",
    ),
    Extension(
        "deepseek-responses/*",
        "input[type=reasoning]",
        "[R] 2: its reasoning is raw text; an item that is stored nowhere needs no id",
    ),
    # Types that are narrower than the door.
    Extension(
        "anthropic/claude-haiku-4-5",
        "temperature",
        "[K] 4: up to 4.5 the API version that is asked for takes it; the types are newer",
    ),
    Extension("openrouter/*", "reasoning.max_tokens", "[D] 7"),
    Extension("groq/*", "stream_options", "[R] 8: with include_usage an empty-choices chunk"),
    Extension("perplexity/*", "stream_options", "[R] perplexity/sonar-crlf-cumulative-message"),
    Extension("perplexity/*", "messages[].content[].image_url.detail", "[K] OpenAI's hint"),
    Extension("together/*", "stream_options", "[K] OpenAI's own; usage comes anyway"),
    Extension("together/*", "messages[].content[].image_url.detail", "[K] OpenAI's hint"),
    Extension(
        "together/*",
        "tool_choice",
        "[K] a forced tool as OpenAI has it; the type is that of a call, and demands arguments",
        {"type": "function", "function": {"name": "weather"}},
    ),
    Extension(
        "together/*",
        "messages[].tool_calls",
        "[K] calls as OpenAI has them; the type is that of an answer's, and demands an index",
    ),
    Extension("fireworks/*", "stream_options", "[K] OpenAI's own"),
    Extension(
        "ollama/*",
        "tools[].function.parameters.additionalProperties",
        "[S] a tool's schema is the caller's; the package lists the keywords it knows",
    ),
)


def for_target(name: str) -> list[Extension]:
    """The rows that speak of it."""
    return [row for row in EXTENSIONS if fnmatchcase(name, row.targets)]


def without(body: dict[str, Any], rows: list[Extension]) -> tuple[dict[str, Any], list[Extension]]:
    """The body with everything taken out that `rows` name, and the rows that found something."""
    left = copy.deepcopy(body)
    found = [row for row in rows if _take(left, row.path.split("."), row.value)]
    return left, found


def _take(place: Any, steps: list[str], value: Any) -> bool:
    name, bracket, rest = steps[0].partition("[")
    if not isinstance(place, dict) or name not in place:
        return False
    if not bracket:
        if steps[1:]:
            return _take(place[name], steps[1:], value)
        if value is ANY or place[name] == value:
            del place[name]
            return True
        return False
    if not isinstance(place[name], list):
        return False
    if rest == "]":
        return any([_take(item, steps[1:], value) for item in place[name]])
    key, _, word = rest.rstrip("]").partition("=")
    kept = [item for item in place[name] if item.get(key) != word]
    taken = len(kept) < len(place[name])
    place[name] = kept
    return taken
