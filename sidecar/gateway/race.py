"""Who speaks first, among the attempts that are made at once."""

from __future__ import annotations

from collections.abc import Callable


class Lost(Exception):
    """Another attempt has spoken first."""


class Race:
    """`winner` is the number of the entrant that has spoken, None while nobody has."""

    __slots__ = ("winner",)

    def __init__(self) -> None:
        self.winner: int | None = None


class Entrant:
    """One attempt's place in a race. `hedge`: it is the second one."""

    __slots__ = ("_number", "_race", "_won", "hedge")

    def __init__(self, race: Race, number: int, hedge: bool, won: Callable[[int], None]) -> None:
        self._race = race
        self._number = number
        self._won = won
        self.hedge = hedge

    def claim(self) -> None:
        """This one has something to say. Raises Lost if another has spoken."""
        if self._race.winner is None:
            self._race.winner = self._number
            self._won(self._number)
        elif self.lost:
            raise Lost

    @property
    def lost(self) -> bool:
        return self._race.winner not in (None, self._number)
