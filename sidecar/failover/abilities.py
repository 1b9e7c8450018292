"""What targets turned out to be able to do, beside what their profiles say."""

from __future__ import annotations

from sidecar.core.target import Resume, Target


class Abilities:
    """A target that refused a prefix is remembered as one that takes none, until told otherwise."""

    __slots__ = ("_refused",)

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def of(self, target: Target) -> Resume:
        return Resume.NONE if target.name in self._refused else target.resume

    def refused_prefix(self, target: Target) -> None:
        self._refused.add(target.name)

    def forget(self) -> None:
        """Believe the profiles again (a new configuration may have changed them)."""
        self._refused.clear()
