"""Tool calls put together from pieces, however their provider numbers them."""

from __future__ import annotations

import json

import msgspec

from sidecar.providers import loose
from sidecar.providers.merge import Merger


class _Slot(msgspec.Struct):
    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    open: bool = False


class ToolCalls:
    """Pieces in, normal pieces out: indices 0, 1, ... by appearance; id and name whole and first.

    A call whose id never comes gets one made from `seed` and its index, so that a tool result can
    name it. `places` maps what the provider calls a call (its index, or its id) to ours.
    """

    __slots__ = ("_places", "_slots")

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._places: dict[int | str, _Slot] = {}

    @property
    def count(self) -> int:
        return len(self._slots)

    def piece(
        self, out: Merger, place: int | str | None, id: str, name: str, arguments: str, seed: str
    ) -> None:
        """Take one piece and give out what can be told by now.

        `place` None: the provider does not number its calls; then a piece with an id or a name
        begins a call, and one without continues the last.
        """
        slot = self._slot(place, id, name)
        slot.id = slot.id or id
        slot.name = slot.name or name
        slot.arguments += arguments
        if slot.open:
            if arguments:
                out.tool_call(slot.index, "", "", arguments)
        elif slot.name:
            self._open(out, slot, seed)

    def close(self, out: Merger, seed: str, whole: bool) -> None:
        """The calls are over. `whole`: the model ended them; then no arguments means `{}`."""
        for slot in self._slots:
            if not slot.open:
                self._open(out, slot, seed)
            if whole and not slot.arguments.strip():
                slot.arguments = "{}"
                out.tool_call(slot.index, "", "", "{}")

    def _open(self, out: Merger, slot: _Slot, seed: str) -> None:
        slot.open = True
        slot.id = slot.id or f"call_{seed}_{slot.index}"
        out.tool_call(slot.index, slot.id, slot.name, slot.arguments)

    def _slot(self, place: int | str | None, id: str, name: str) -> _Slot:
        if place is None:
            place = id or None
        if place is None:
            return self._slots[-1] if self._slots and not name else self._new(None)
        slot = self._places.get(place)
        if slot is None or _another(slot, id, name):
            return self._new(place)
        return slot

    def _new(self, place: int | str | None) -> _Slot:
        slot = _Slot(len(self._slots))
        self._slots.append(slot)
        if place is not None:
            self._places[place] = slot
        return slot


def arguments_of(raw: bytes) -> str:
    """Arguments out of a document, as text: an object as it stood, text unquoted, null as ""."""
    if raw[:1] == b'"':
        # Some servers send the text that others stream, where their dialect has an object.
        return loose.text(loose.document(raw)) if loose.readable(raw) else ""
    return "" if raw == b"null" else raw.decode("utf-8", "replace")


def _another(slot: _Slot, id: str, name: str) -> bool:
    """True if a piece in `slot`'s place begins a new call: some servers number all calls 0."""
    if not (id and name and slot.id) or id == slot.id:
        return False
    try:
        json.loads(slot.arguments or "{}")
    except (ValueError, RecursionError):
        return False
    return True
