"""Keys that turn out to have one owner, though the configuration gives each its own quota. Pure.

Only the provider knows whose a key is; some tell it with every answer. Until then the configuration
is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Owned(Protocol):
    """What is asked of a key: see `ring.Key`."""

    @property
    def provider(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def alias(self) -> str: ...

    @property
    def per_key_limits(self) -> bool: ...


class Group(msgspec.Struct, frozen=True):
    """Keys of one owner, in the order of the configuration; `account` stands for all of theirs."""

    owner: str
    aliases: tuple[str, ...]
    account: str
    merged: bool
    """Does it join what the configuration keeps apart?"""


class Owners:
    """Who owns which key, by provider and alias, as far as it was told."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], str] = {}
        self._groups: dict[tuple[str, str], Group] = {}

    def of(self, key: Owned) -> str:
        """The owner, "" if nobody told."""
        return self._told.get((key.provider, key.alias), "")

    def tell(self, key: Owned, owner: str) -> bool:
        """The provider says who owns `key`. True if that is news."""
        name = (key.provider, key.alias)
        if not owner or self._told.get(name) == owner:
            return False
        self._told[name] = owner
        return True

    def forget(self, key: Owned) -> None:
        """The key is another now."""
        self._told.pop((key.provider, key.alias), None)

    def group(self, keys: Mapping[str, tuple[Owned, ...]]) -> None:
        """Put the keys of each provider together by owner."""
        self._groups = {}
        for provider, all_of_it in keys.items():
            by_owner: dict[str, list[Owned]] = {}
            for key in all_of_it:
                if owner := self.of(key):
                    by_owner.setdefault(owner, []).append(key)
            for owner, members in by_owner.items():
                if len(members) > 1:
                    self._add(provider, owner, members)

    def _add(self, provider: str, owner: str, members: list[Owned]) -> None:
        apart = len({key.account for key in members}) > 1
        apart = apart or any(key.per_key_limits for key in members)
        aliases = tuple(key.alias for key in members)
        group = Group(owner, aliases, members[0].account, apart)
        for alias in aliases:
            self._groups[provider, alias] = group

    def group_of(self, key: Owned) -> Group | None:
        """The keys that share an owner with `key`, itself included; None if there are no others."""
        return self._groups.get((key.provider, key.alias)) if self._groups else None
