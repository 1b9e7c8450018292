"""The judge as a process that is asked body by body, and whose types a target is judged by."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.published.install import PYTHON

Body = dict[str, Any]
# What the types say against a body that is sent to a target: nothing is good.
Judge = Callable[[str, Body], list[str]]

# Whose types a provider's bodies are held against. Where a company publishes none for its door,
# the types of the company whose language it speaks.
SCHEMAS = {
    **dict.fromkeys(("deepseek", "moonshot", "zai", "alibaba", "xai"), "openai"),
    **dict.fromkeys(("vllm", "llamacpp", "portkey", "typed-event", "openai"), "openai"),
    **{name: name for name in ("mistral", "openrouter", "groq", "together", "fireworks")},
    **{name: name for name in ("perplexity", "anthropic", "openai-responses", "ollama")},
    **{name: name for name in ("gemini", "gemini-interactions")},
    "deepseek-messages": "anthropic",
    "deepseek-responses": "openai-responses",
}


@contextmanager
def judging() -> Iterator[Judge]:
    """In the environment with the SDKs, for as long as the block lasts."""
    command = [str(PYTHON), "-m", "tests.published.judge"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        asks, answers = running.stdin, running.stdout

        def judged(target: str, body: Body) -> list[str]:
            asks.write(json.dumps([SCHEMAS[target.partition("/")[0]], body]) + "\n")
            asks.flush()
            told: list[str] = json.loads(answers.readline())
            return told

        yield judged
        asks.close()
