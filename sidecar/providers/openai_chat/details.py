"""`reasoning_details`: OpenRouter's itemised reasoning, which must go back unchanged with tools."""

from __future__ import annotations

from typing import Any

from sidecar.providers import signature

DIALECT = "openai-chat"
# Fields that come in pieces; every other field is taken whole, the latest value counts.
_GROWING = ("text", "summary")
_OPAQUE = ("signature", "data")
MAX_ITEMS = 256


def details_text(details: list[dict[str, Any]]) -> str:
    """The readable text in `details`: raw or summarised; encrypted items have none."""
    texts = []
    for item in details:
        for name in _GROWING:
            value = item.get(name)
            if isinstance(value, str) and value:
                texts.append(value)
                break
    return "".join(texts)


class ReasoningDetails:
    """Fragments in, whole items out, merged by type and index in order of appearance."""

    __slots__ = ("_items", "_packed")

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], dict[str, Any]] = {}
        self._packed = False

    def add(self, fragments: list[dict[str, Any]]) -> None:
        for fragment in fragments:
            key = (str(fragment.get("type")), str(fragment.get("index", fragment.get("id"))))
            item = self._items.get(key)
            if item is None:
                if len(self._items) < MAX_ITEMS:
                    self._items[key] = dict(fragment)
                continue
            for name, value in fragment.items():
                if name in _GROWING and isinstance(value, str):
                    item[name] = (item.get(name) or "") + value
                elif value is not None:
                    item[name] = value

    def packed(self) -> str:
        """The signature that holds the items, once; "" if nothing in them is opaque.

        Plain text needs no signature: it is in the reasoning itself.
        """
        opaque = any(item.get(name) for item in self._items.values() for name in _OPAQUE)
        if self._packed or not opaque:
            return ""
        self._packed = True
        return signature.pack(DIALECT, list(self._items.values()))
