"""Protobuf's numbers and Durations against words and seconds. Pure."""

from enum import StrEnum
from typing import Protocol, TypeVar

from google.protobuf.duration_pb2 import Duration

Word = TypeVar("Word", bound=StrEnum)
Number = TypeVar("Number", bound=int)


class WireEnum(Protocol[Number]):
    """What we need of a generated enum."""

    def items(self) -> list[tuple[str, Number]]: ...


def words(wire: WireEnum[Number], kind: type[Word], prefix: str) -> dict[int, Word]:
    """Table from a protobuf enum's numbers to our words. Its zero, "unspecified", is left out."""
    return {
        int(value): kind(name.removeprefix(prefix).lower()) for name, value in wire.items() if value
    }


def number(wire: WireEnum[Number], prefix: str, word: str) -> Number:
    """The value of a protobuf enum by our word for it. ValueError names the words there are."""
    known = {name.removeprefix(prefix).lower(): value for name, value in wire.items() if value}
    if word.lower() not in known:
        raise ValueError(f"{word!r} is none of {', '.join(known)}")
    return known[word.lower()]


def seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def duration(value_s: float) -> Duration:
    wire = Duration()
    wire.FromNanoseconds(round(value_s * 1e9))
    return wire
