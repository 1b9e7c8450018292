"""From plain data to frozen structs, with every mistake told at its path instead of the first one.

Generic over the struct: fields, defaults, aliases and types are read from it. Values never appear
in a message, for one of them may be a secret that stands in the wrong place.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

T = TypeVar("T", bound=msgspec.Struct)

# Told of a mistake: where, and what was expected.
Tell = Callable[[str, str], None]
_PARTIAL = object()


def shaped(raw: Any, kind: type[T], path: str, tell: Tell) -> T | None:
    """`raw` as a `kind`; None if anything is wrong with it, which `tell` then has heard."""
    found = _value(raw, kind, path, tell)
    return None if found is _PARTIAL else found


def _value(raw: Any, kind: Any, path: str, tell: Tell) -> Any:
    """`raw` as a `kind`, or _PARTIAL."""
    kind = _member(kind, raw)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(raw, kind, path, tell)
    if get_origin(kind) is tuple:
        return _tuple(raw, get_args(kind)[0], path, tell)
    if get_origin(kind) is dict and get_args(kind)[1] is not Any:
        return _mapping(raw, get_args(kind)[1], path, tell)
    return _plain(raw, kind, path, tell)


def _member(kind: Any, raw: Any) -> Any:
    """Of a union the part that can hold data of this shape; the union itself for a plain value."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    shapes: dict[type, Callable[[Any], bool]] = {
        dict: lambda part: (
            get_origin(part) is dict
            or (isinstance(part, type) and issubclass(part, msgspec.Struct))
        ),
        list: lambda part: get_origin(part) is tuple,
    }
    fits = shapes.get(type(raw), lambda part: False)
    return next((part for part in get_args(kind) if fits(part)), kind)


def _struct(raw: Any, kind: type[msgspec.Struct], path: str, tell: Tell) -> Any:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if raw is None:
        raw = {}
    if isinstance(raw, str) and (short := getattr(kind, "SHORT", "")):
        raw = {short: raw}
    if not isinstance(raw, dict):
        tell(path, f"expected a mapping with {', '.join(fields)}")
        return _PARTIAL
    strange = [name for name in raw if name not in fields]
    for name in strange:
        tell(_under(path, name), f"unknown field; known are {', '.join(fields)}")
    found = {
        field.name: _field(raw, name, field, path, tell)
        for name, field in fields.items()
        if name in raw or field.required
    }
    if strange or any(value is _PARTIAL for value in found.values()):
        return _PARTIAL
    return kind(**found)


def _field(raw: dict[str, Any], name: str, field: FieldInfo, path: str, tell: Tell) -> Any:
    where = _under(path, name)
    if name not in raw:
        tell(where, "is missing")
        return _PARTIAL
    if raw[name] is None and not field.required:
        return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return _value(raw[name], field.type, where, tell)


def _mapping(raw: Any, kind: Any, path: str, tell: Tell) -> Any:
    if not isinstance(raw, dict):
        tell(path, "expected a mapping")
        return _PARTIAL
    found = {
        str(name): _value(value, kind, _under(path, name), tell) for name, value in raw.items()
    }
    return _PARTIAL if any(value is _PARTIAL for value in found.values()) else found


def _tuple(raw: Any, kind: Any, path: str, tell: Tell) -> Any:
    if not isinstance(raw, list):
        tell(path, "expected a list")
        return _PARTIAL
    found = [_value(item, kind, f"{path}[{place}]", tell) for place, item in enumerate(raw)]
    return _PARTIAL if any(item is _PARTIAL for item in found) else tuple(found)


def _plain(raw: Any, kind: Any, path: str, tell: Tell) -> Any:
    try:
        return msgspec.convert(raw, kind, str_keys=True)
    except msgspec.ValidationError as error:
        inner = re.search(r" - at `\$?([^`]*)`$", str(error))
        tell(path + (inner.group(1) if inner else ""), _expectation(kind, raw))
        return _PARTIAL


# Types in the words of people who write YAML.
_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "",
    dict: "a mapping",
    Any: "anything",
}


def _expectation(kind: Any, raw: Any) -> str:
    """What would have been right, and what to do about the usual surprises of YAML."""
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    words = [_words(part) for part in parts]
    text = " or ".join(word for word in words if word)
    if str in parts and isinstance(raw, int | float):
        return f"expected {text}: put it in quotes"
    if isinstance(raw, str) and (int in parts or float in parts):
        return f"expected {text}, without quotes"
    return f"expected {text}"


def _words(part: Any) -> str:
    if get_origin(part) is Literal:
        return "one of " + ", ".join(
            repr(choice) if not choice else str(choice) for choice in get_args(part)
        )
    if isinstance(part, type) and issubclass(part, msgspec.Struct):
        return "a mapping"
    if get_origin(part) is tuple:
        return "a list"
    return _WORDS.get(get_origin(part) or part, str(part))


def _under(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
