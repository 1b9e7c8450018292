"""Arguments of a function call that arrive path by path (Vertex, streaming arguments)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_\-]*)|\[(\d{1,4})\]|\['([^']{1,200})'\]")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")
MAX_PATHS = 4_096


class PartialArgs:
    """Pieces like `{"jsonPath": "$.city", "stringValue": "Ro"}` in, one JSON object out.

    `place` is the number of the call. Strings at one path are joined, other values replace.
    """

    __slots__ = ("_values", "place")

    def __init__(self, place: int) -> None:
        self.place = place
        self._values: dict[str, Any] = {}

    def add(self, pieces: list[dict[str, Any]]) -> None:
        for piece in pieces:
            path = piece.get("jsonPath")
            if not isinstance(path, str) or len(self._values) >= MAX_PATHS:
                continue
            for name in _VALUES:
                if name in piece:
                    self._put(path, None if name == "nullValue" else piece[name])

    def json(self) -> str:
        """The object so far."""
        whole: dict[str, Any] = {}
        for path, value in self._values.items():
            steps = [
                int(number) if number else name or quoted
                for name, number, quoted in _STEP.findall(path)
            ]
            if steps and isinstance(steps[0], str):
                _set(whole, steps, value)
        return msgspec.json.encode(whole).decode()

    def _put(self, path: str, value: Any) -> None:
        own = self._values.get(path)
        both = isinstance(own, str) and isinstance(value, str)
        self._values[path] = own + value if both else value


def _set(whole: dict[str, Any], steps: list[int | str], value: Any) -> None:
    place: Any = whole
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        empty: Any = value
        if following is not None:
            empty = [] if isinstance(following, int) else {}
        if isinstance(place, list) and isinstance(step, int):
            if step > len(place):
                return
            if step == len(place):
                place.append(empty)
            elif following is None:
                place[step] = value
            place = place[step]
        elif isinstance(place, dict) and isinstance(step, str):
            if following is None:
                place[step] = value
            place = place.setdefault(step, empty)
        else:
            return
