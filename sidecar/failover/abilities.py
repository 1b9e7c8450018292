"""What targets turned out to be able to do, beside what their profiles say."""

from __future__ import annotations

from sidecar.core.request import Prefix
from sidecar.core.target import Resume, Target


class Abilities:
    """A target that refused a prefix is remembered as one that takes none, until told otherwise.

    One that refused a chain of thought alone may yet continue an answer.
    """

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: dict[str, Resume] = {}

    def of(self, target: Target) -> Resume:
        return self._left.get(target.name, target.resume)

    def refused_prefix(self, target: Target, prefix: Prefix) -> None:
        thoughts = self.of(target) is Resume.PREFIX and not prefix.answer
        self._left[target.name] = Resume.PREFILL if thoughts else Resume.NONE

    def forget(self) -> None:
        """Believe the profiles again (a new configuration may have changed them)."""
        self._left.clear()
