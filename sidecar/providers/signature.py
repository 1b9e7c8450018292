"""Opaque state of a chain of thought, packed into the one string that callers carry for us.

Each dialect packs what it must get back (signatures, redacted blocks, encrypted items) under its
own name, so that a turn that moved to another provider never shows it a foreign signature. Within a
stream a later signature holds everything the earlier one held, and replaces it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.providers import loose

_MARK = "hw1."


def pack(dialect: str, state: Any) -> str:
    """`state` (anything JSON can hold) as a signature of `dialect`; "" for an empty state."""
    if not state:
        return ""
    return f"{_MARK}{dialect}:{msgspec.json.encode(state).decode()}"


def unpack(signature: str, dialect: str) -> Any:
    """The state packed by `dialect`; None if the signature is another's, or broken."""
    head = f"{_MARK}{dialect}:"
    if not signature.startswith(head):
        return None
    try:
        return loose.document(signature[len(head) :].encode("utf-8", "replace"))
    except ValueError:
        return None


def foreign(signature: str) -> bool:
    """True if no dialect here packed it: a bare signature that a caller brought from elsewhere."""
    return bool(signature) and not signature.startswith(_MARK)
