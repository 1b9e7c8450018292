"""Think tags: a chain of thought inside the answer's text, told apart across chunk borders."""

from __future__ import annotations

import enum
from typing import Literal

ThinkMode = Literal["off", "auto", "open"]

# The tags seen in the wild: DeepSeek-R1 and Qwen templates; Gemini's compatible door.
TAGS = ("think", "thought")
OPENING = tuple(f"<{tag}>" for tag in TAGS)
CLOSING = tuple(f"</{tag}>" for tag in TAGS)
# Blanks before an opening tag are held back, but a text of blanks alone is given out at some point.
MAX_HELD = 256


class _State(enum.Enum):
    START = 0
    REASONING = 1
    ANSWER = 2


class ThinkSplitter:
    """Text in, (reasoning, answer) out.

    Mode "auto": a tag counts only where it opens the text. Mode "open": the template has already
    opened the tag, so the text begins as reasoning, with or without an opening tag; if reasoning
    then comes in a field of its own, a closing tag that leaks into the text is dropped. Mode "off":
    everything is answer. Nothing is trimmed but the tags themselves.
    """

    __slots__ = ("_closing", "_held", "_leaks", "_may_open", "_state")

    def __init__(self, mode: ThinkMode) -> None:
        self._state = _State.ANSWER if mode == "off" else _State.START
        self._may_open = self._leaks = mode == "open"
        self._closing: tuple[str, ...] = CLOSING
        self._held = ""

    @property
    def passing(self) -> bool:
        """True once everything that follows is answer: the splitter may be bypassed."""
        return self._state is _State.ANSWER

    def told_elsewhere(self) -> None:
        """Reasoning came in a field of its own: the text did not begin inside a tag after all."""
        self._may_open = False

    def feed(self, text: str) -> tuple[str, str]:
        """Take a piece; return what is known to be reasoning and what is known to be answer."""
        if self._state is _State.ANSWER:
            return "", text
        text = self._held + text
        self._held = ""
        if self._state is _State.START:
            return self._begin(text)
        return self._think(text)

    def end(self) -> tuple[str, str]:
        """Take the end of the text: give out what was held back."""
        held, self._held = self._held, ""
        if self._state is _State.REASONING or (self._state is _State.START and self._may_open):
            return held, ""
        return "", held

    def _begin(self, text: str) -> tuple[str, str]:
        body = text.lstrip()
        if len(text) - len(body) > MAX_HELD:
            body = text
        opened = next((tag for tag in OPENING if body.startswith(tag)), None)
        if opened is not None:
            self._state = _State.REASONING
            self._closing = ("</" + opened[1:],)
            return self._think(body[len(opened) :])
        tags = OPENING + CLOSING if self._leaks else OPENING
        if any(tag != body and tag.startswith(body) for tag in tags):
            self._held = text
            return "", ""
        if self._may_open:
            self._state = _State.REASONING
            return self._think(text)
        self._state = _State.ANSWER
        closed = next((tag for tag in CLOSING if self._leaks and body.startswith(tag)), None)
        return "", text if closed is None else body[len(closed) :]

    def _think(self, text: str) -> tuple[str, str]:
        if "<" not in text:
            return text, ""
        for tag in self._closing:
            inner, found, after = text.partition(tag)
            if found:
                self._state = _State.ANSWER
                return inner, after
        keep = max(_overlap(text, tag) for tag in self._closing)
        if keep:
            self._held = text[-keep:]
            text = text[:-keep]
        return text, ""


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that begins `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if tag.startswith(text[-size:]):
            return size
    return 0
