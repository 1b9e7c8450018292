"""JSON from providers, typed first and forgiving second."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_ANY = msgspec.json.Decoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


def document(data: bytes) -> Any:
    """Any JSON document. Raises ValueError (and nothing else) if there is none.

    Accepts what strict parsers refuse and providers send: NaN, Infinity, a byte order mark, lone
    surrogates (each becomes U+FFFD, for they cannot be written as UTF-8).
    """
    try:
        return _ANY.decode(data)
    except (ValueError, RecursionError):
        pass
    try:
        return _clean(json.loads(data.decode("utf-8-sig", "replace")))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def typed(data: bytes, decoder: msgspec.json.Decoder[T], shape: type[T]) -> T:
    """`data` as `shape`; numbers and strings may stand for one another. Raises ValueError."""
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):
        repaired = msgspec.json.encode(document(data))
        return msgspec.json.decode(repaired, type=shape, strict=False)


def repaired(data: bytes, decoder: msgspec.json.Decoder[T], shape: type[T]) -> T | None:
    """As `typed`, for those who have tried the fast way already; None where nothing helps."""
    try:
        return typed(data, decoder, shape)
    except ValueError:
        return None


def readable(data: bytes) -> bool:
    """Is `data` a JSON document, even if a damaged one?"""
    try:
        document(data)
    except ValueError:
        return False
    return True


def record(value: Any) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """`value` if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
