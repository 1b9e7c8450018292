"""`reasoning_details`: OpenRouter's itemised reasoning, which must go back unchanged with tools."""

from __future__ import annotations

from typing import Any

from sidecar.providers import loose, signature
from sidecar.providers.openai_chat.wire import Detail

DIALECT = "openai-chat"
# Fields whose latest value counts; text and summary grow instead.
_LATEST = ("data", "signature", "format", "id")
MAX_ITEMS = 256


def details_text(details: list[Detail]) -> str:
    """The readable text in `details`: raw or summarised; encrypted items have none."""
    return "".join(_text(detail) for detail in details)


def blocks_text(blocks: Any) -> str:
    """The thinking in Portkey's `content_blocks`: whole blocks, or pieces in a `delta`."""
    pieces = map(loose.record, blocks if isinstance(blocks, list) else ())
    return "".join(
        loose.text((loose.record(piece.get("delta")) or piece).get("thinking")) for piece in pieces
    )


class ReasoningDetails:
    """Fragments in, whole items out, merged by type and index in order of appearance."""

    __slots__ = ("_items", "_packed", "_parts")

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Detail] = {}
        self._parts: dict[tuple[str, str], list[str]] = {}
        self._packed = False

    def add(self, fragments: list[Detail]) -> None:
        for fragment in fragments:
            place = fragment.index if fragment.index is not None else fragment.id
            key = (str(fragment.type), str(place))
            item = self._items.get(key)
            if item is None:
                if len(self._items) >= MAX_ITEMS:
                    return
                item = self._items[key] = fragment
                self._parts[key] = []
            elif item is not fragment:
                _update(item, fragment)
            self._parts[key].append(_text(fragment))

    def packed(self) -> str:
        """The signature that holds the items, once; "" if nothing in them is opaque.

        Plain text needs no signature: it is in the reasoning itself.
        """
        if self._packed or not any(_opaque(item) for item in self._items.values()):
            return ""
        self._packed = True
        for key, item in self._items.items():
            whole = "".join(self._parts[key])
            if isinstance(item.text, str):
                item.text = whole
            elif isinstance(item.summary, str):
                item.summary = whole
        return signature.pack(DIALECT, list(self._items.values()))


def _text(detail: Detail) -> str:
    for value in (detail.text, detail.summary):
        if value and isinstance(value, str):
            return value
    return ""


def _opaque(detail: Detail) -> bool:
    return any(value and isinstance(value, str) for value in (detail.signature, detail.data))


def _update(item: Detail, fragment: Detail) -> None:
    """The latest value of each field counts, and nothing takes one back."""
    for name in _LATEST:
        value: Any = getattr(fragment, name)
        if value:
            setattr(item, name, value)
    for name in ("text", "summary"):
        if isinstance(getattr(fragment, name), str) and not isinstance(getattr(item, name), str):
            setattr(item, name, "")
