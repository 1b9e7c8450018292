"""Ways to spoil a recorded body, each reproduced by its `random.Random`."""

from __future__ import annotations

import json
import random
from typing import Any

# What stands for nothing, for too much, and for another type, in any place of a document.
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 10**30, 1e308, float("nan"), 0.5, "", "x", "0", "-1", "null"),
    *([], {}, [None], [[]], {"a": None}, [{"text": "t"}], {"text": "t"}, "\ud800", "<think>"),
    *("stop", "STOP", "length", "error", "[DONE]", "tool_calls", "{", '{"a":1}', "\u2028"),
)
_SPECIAL = b'\n\r:{}[]",\\ \x00\xff0'
_PIECES = (b"\n\n", b"\r", b"\r\n", b"<think>", b"</think>", b"null", b"data: ", b"event: ")
_STEPS = 8


def mutated(body: bytes, rng: random.Random) -> bytes:
    """`body` with a few bytes lost, doubled, changed or moved."""
    made = bytearray(body)
    for _ in range(rng.randint(1, 6)):
        at, size = rng.randrange(len(made) + 1), rng.choice((1, 1, 2, 10, 200))
        change = rng.randrange(4)
        if change == 0:
            del made[at : at + size]
        elif change == 1:
            made[at:at] = made[at : at + size]
        elif change == 2:
            made[at : at + 1] = bytes([rng.choice(_SPECIAL)])
        else:
            made[at:at] = rng.choice(_PIECES)
    return bytes(made)


def reshaped(body: bytes, rng: random.Random, values: tuple[Any, ...] = HOSTILE) -> bytes:
    """`body` with JSON values replaced by others, so that it still parses."""
    lines = []
    for line in body.split(b"\n"):
        head = b"data: " if line.startswith(b"data: ") else b""
        try:
            document = json.loads(line[len(head) :])
        except (ValueError, RecursionError):
            lines.append(line)
            continue
        if isinstance(document, dict) and rng.random() < 0.4:
            _replace(document, rng, values)
        lines.append(head + json.dumps(document).encode("utf-8", "replace"))
    return b"\n".join(lines)


def shuffled(body: bytes, rng: random.Random) -> bytes:
    """`body` with events lost, doubled or out of order."""
    blank = b"\n\n" if b"\n\n" in body else b"\n"
    events = body.split(blank)
    at, other = rng.randrange(len(events)), rng.randrange(len(events))
    change = rng.randrange(3)
    if change == 0:
        events[at], events[other] = events[other], events[at]
    elif change == 1:
        events.insert(other, events[at])
    else:
        del events[at]
    return blank.join(events)


def _replace(place: Any, rng: random.Random, values: tuple[Any, ...]) -> None:
    for _ in range(_STEPS):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = rng.choice(keys)
        inner = place[key]
        if isinstance(inner, dict | list) and rng.random() < 0.7:
            place = inner
            continue
        place[key] = rng.choice(values)
        return
