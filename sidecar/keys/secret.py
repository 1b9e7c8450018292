"""A string that does not show itself."""

from __future__ import annotations

from pathlib import Path


class Secret:
    """Holds a credential. Its repr, str, pickle and comparison never give it away."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The credential itself; only for the header of a call to its provider."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))


def read_secret(path: Path) -> Secret:
    """The credential in a file, without surrounding white space (editors add line ends).

    Raises OSError if the file cannot be read, ValueError if it is empty or not one line of ASCII
    (a header cannot carry anything else).
    """
    value = path.read_text(encoding="utf-8").strip()
    if not value:
        raise ValueError(f"{path} is empty")
    if not value.isascii() or any(character.isspace() for character in value):
        raise ValueError(f"{path} does not hold one line of ASCII")
    return Secret(value)
