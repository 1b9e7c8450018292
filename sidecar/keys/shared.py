"""What keys and accounts are called where other pods can read it. Pure.

An id is a salted hash: nothing on the board is, or leads back to, a credential. A key's id is that
of its secret, not of its alias: while a fleet is being given new secrets, a revoked old one must
not stop the new one of the same name. Models and targets are no secrets and stand there as they
are.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from sidecar.keys.ring import Key, Scope

# 64 bits of a hash: among a thousand keys two alike are less likely than 1 in 10^13.
ID_CHARACTERS = 16
BREAKER = "breaker"
SEPARATOR = ":"


class Names:
    """Ids of scopes (see KeyRing) and of ("breaker", target), and back."""

    def __init__(self, salt: str, keys: Iterable[Key]) -> None:
        self._salt = bytes.fromhex(salt)
        self._ids: dict[Scope, str] = {}
        self._scopes: dict[str, Scope] = {}
        for key in keys:
            secret = key.secret.reveal() if key.secret.reveal() else key.alias
            self._add((key.provider, "key", key.alias), "k", secret)
            self._add((key.provider, "account", key.account), "a", key.account)

    def id_of(self, name: Scope) -> str:
        """The id of a scope or breaker. KeyError if its key is not known (any more)."""
        if name[0] == BREAKER:
            return SEPARATOR.join(name)
        return SEPARATOR.join((self._ids[name[:3]], *name[3:]))

    def name_of(self, note_id: str) -> Scope | None:
        """The scope or breaker of an id; None if this pod has no such key or account."""
        kind, _, rest = note_id.partition(SEPARATOR)
        if kind == BREAKER:
            return (BREAKER, rest)
        digest, colon, model = rest.partition(SEPARATOR)
        scope = self._scopes.get(kind + SEPARATOR + digest)
        return (*scope, model) if scope is not None and colon else scope

    def _add(self, scope: Scope, kind: str, value: str) -> None:
        text = "\0".join((kind, scope[0], value))
        digest = hmac.new(self._salt, text.encode(), hashlib.sha256).hexdigest()
        note_id = kind + SEPARATOR + digest[:ID_CHARACTERS]
        self._ids[scope] = note_id
        self._scopes.setdefault(note_id, scope)
