"""The keys of all providers: who rests, until when, why; and who may be probed.

All questions take `now` (loop seconds). Rests are only ever extended: a shorter Retry-After that
comes later does not shorten a longer one. A disabled key or account comes back through probes:
one real request at a time, at growing intervals; a success clears it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import msgspec

from sidecar.core.failure import Blame, Cause, Failure
from sidecar.keys.owners import Group, Owners
from sidecar.keys.secret import Secret

# A key whose credential was refused, an account out of money: probed after this, then twice as
# long each time, up to the second figure (limits reference, section 4: 10 min to 6 h).
PROBE_FIRST_S = 600.0
PROBE_LAST_S = 6 * 3600.0
# A probe that was admitted but never reported makes room for the next after this.
PROBE_LEASE_S = 120.0
# A 429 without a word on when: rest this long, doubled for each in a row, up to the second figure.
REST_FIRST_S = 1.0
REST_LAST_S = 30.0

DISABLING = frozenset({Cause.QUOTA, Cause.CREDENTIAL, Cause.REGION, Cause.MODEL_ACCESS})


class Key(msgspec.Struct, frozen=True):
    """One credential of an account. `alias` is what people see; it is unique within a provider."""

    provider: str
    account: str
    alias: str
    secret: Secret
    per_key_limits: bool = False


class Rest(msgspec.Struct):
    """Why somebody rests. `since` (the last failure) and `until` in loop seconds; `disabled` rests
    end only by a good probe. `strikes` counts failed rests in a row."""

    since: float
    until: float
    cause: Cause
    disabled: bool = False
    strikes: int = 0
    probing_until: float = -math.inf

    def ready_at(self, now: float) -> float:
        if self.disabled and self.probing_until > now:
            return self.probing_until
        return max(now, self.until)


class Standing(msgspec.Struct, frozen=True):
    """From when a key may be used for a model, and why not before ("" and None if at once)."""

    ready_at: float
    scope: str = ""
    cause: Cause | None = None
    disabled: bool = False


Scope = tuple[str, ...]


class News(Protocol):
    """Who else wants to know what happens to keys: the other pods."""

    def rested(self, scope: Scope, rest: Rest) -> None: ...

    def recovered(self, scope: Scope, began: float) -> None: ...

    def released(self, scope: Scope) -> None: ...


class KeyRing:
    """States by scope: (provider, account), (…, account, model), (…, alias), (…, alias, model).

    `news` hears what this pod finds out itself; what others found out comes in by `heard`.
    """

    def __init__(self, keys: Iterable[Key], news: News | None = None) -> None:
        self.news = news
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._rests: dict[Scope, Rest] = {}
        self._owners = Owners()
        self.replace(keys)

    def replace(self, keys: Iterable[Key]) -> None:
        """A new set of keys. States of scopes that remain are kept; a new secret starts afresh."""
        before = {(k.provider, k.alias): k.secret for group in self._keys.values() for k in group}
        groups: dict[str, list[Key]] = {}
        for key in keys:
            groups.setdefault(key.provider, []).append(key)
            if before.get((key.provider, key.alias), key.secret) != key.secret:
                self._forget(key)
        self._keys = {provider: tuple(group) for provider, group in groups.items()}
        self._owners.group(self._keys)

    def providers(self) -> tuple[str, ...]:
        """Every provider that has a key."""
        return tuple(self._keys)

    def keys(self, provider: str) -> tuple[Key, ...]:
        return self._keys.get(provider, ())

    def standing(self, key: Key, model: str, now: float) -> Standing:
        """The latest `ready_at` over the four scopes that the pair belongs to."""
        worst = Standing(now)
        if not self._rests:
            return worst
        for scope in self._scopes(key, model):
            rest = self._rests.get(scope)
            if rest is None:
                continue
            ready_at = rest.ready_at(now)
            if ready_at > worst.ready_at:
                worst = Standing(ready_at, "/".join(scope[1:]), rest.cause, rest.disabled)
        return worst

    def admitted(self, key: Key, model: str, now: float) -> None:
        """An attempt goes out with `key`: it is the probe of every disabled scope it passes."""
        for scope in self._scopes(key, model) if self._rests else ():
            rest = self._rests.get(scope)
            if rest is not None and rest.disabled:
                rest.probing_until = now + PROBE_LEASE_S

    def succeeded(self, key: Key, model: str, began: float) -> None:
        """A provider accepted the key: whatever it rested for is over.

        `began`: when the attempt was admitted, loop seconds. One that was in the air already when
        a rest began says nothing about it.
        """
        for scope in self._scopes(key, model) if self._rests else ():
            rest = self._rests.get(scope)
            if rest is not None and began > rest.since:
                del self._rests[scope]
                if self.news is not None:
                    self.news.recovered(scope, began)

    def excluded(self, key: Key, model: str) -> None:
        """The attempt proved nothing: a probe in flight makes room for another."""
        for scope in self._scopes(key, model) if self._rests else ():
            rest = self._rests.get(scope)
            if rest is not None and rest.disabled and rest.probing_until > -math.inf:
                rest.probing_until = -math.inf
                if self.news is not None:
                    self.news.released(scope)

    def failed(self, key: Key, model: str, failure: Failure, now: float) -> None:
        """Let whoever is to blame rest, if it is a key or an account."""
        scope = _blamed(self._charged(key), model, failure)
        if scope is None:
            self.excluded(key, model)
            return
        rest = self._rests[scope] = _rested(self._rests.get(scope), failure, now)
        if self.news is not None:
            self.news.rested(scope, rest)

    def probes(self, key: Key, model: str) -> tuple[Scope, ...]:
        """The disabled scopes that an attempt with `key` would be the probe of."""
        scopes = self._scopes(key, model) if self._rests else ()
        return tuple(s for s in scopes if s in self._rests and self._rests[s].disabled)

    def heard(self, scope: Scope, rest: Rest) -> None:
        """Another pod found out. What both say is merged: a rest is only ever extended."""
        own = self._rests.get(scope)
        self._rests[scope] = rest if own is None else _merged(own, rest)

    def heard_well(self, scope: Scope) -> None:
        """Another pod's attempt did well."""
        self._rests.pop(scope, None)

    def owned(self, key: Key, owner: str) -> Group | None:
        """The provider says who owns `key` ("": it does not). The group of keys, if that news joins
        what the configuration keeps apart: from now on they rest together and share one quota."""
        if not self._owners.tell(key, owner):
            return None
        self._owners.group(self._keys)
        group = self._owners.group_of(key)
        if group is None or not group.merged:
            return None
        for other in self.sharing(key):
            self._move(other, group.account)
        return group

    def sharing(self, key: Key) -> tuple[Key, ...]:
        """All keys that share one quota with `key` because of their owner; () if there are none."""
        group = self._owners.group_of(key)
        if group is None:
            return ()
        return tuple(k for k in self.keys(key.provider) if k.alias in group.aliases)

    def _charged(self, key: Key) -> Key:
        """`key` as it rests: with the account that stands for its owner."""
        group = self._owners.group_of(key)
        if group is None or not group.merged:
            return key
        return msgspec.structs.replace(key, account=group.account, per_key_limits=False)

    def _scopes(self, key: Key, model: str) -> tuple[Scope, ...]:
        return _scopes(self._charged(key), model)

    def _move(self, key: Key, account: str) -> None:
        """What the account of `key` rested for, the account that stands for its owner rests for."""
        before = (key.provider, "account", key.account)
        for scope in [s for s in self._rests if s[:3] == before and key.account != account]:
            self.heard((key.provider, "account", account, *scope[3:]), self._rests.pop(scope))

    def own(self) -> dict[Scope, Rest]:
        """Every rest there is, by scope."""
        return dict(self._rests)

    def resting(self, now: float) -> list[tuple[str, Rest]]:
        """Everything that rests now, by its scope as text, for `GetStatus`."""
        return [
            ("/".join(scope), rest)
            for scope, rest in self._rests.items()
            if rest.ready_at(now) > now
        ]

    def _forget(self, key: Key) -> None:
        self._owners.forget(key)
        for scope in list(self._rests):
            if scope[0] == key.provider and ("key", key.alias) == scope[1:3]:
                del self._rests[scope]


def _scopes(key: Key, model: str) -> tuple[tuple[str, ...], ...]:
    account = (key.provider, "account", key.account)
    own = (key.provider, "key", key.alias)
    return account, (*account, model), own, (*own, model)


def _blamed(key: Key, model: str, failure: Failure) -> tuple[str, ...] | None:
    account, account_model, own, own_model = _scopes(key, model)
    if failure.cause is Cause.RATE_LIMITED:
        # The scope of the limit that was hit: the account's for this model, unless its limits
        # are written per key.
        return own_model if key.per_key_limits else account_model
    return {
        Blame.ACCOUNT: account,
        Blame.KEY: own,
        Blame.KEY_MODEL: own_model,
    }.get(failure.verdict.blame)


def _rested(old: Rest | None, failure: Failure, now: float) -> Rest:
    """The rest after `failure`. What was in the air together fails together: as long as the old
    rest lasts, another failure is no further strike."""
    if old is None:
        disabled = failure.cause in DISABLING
        return Rest(now, now + _rest_s(failure, 1), failure.cause, disabled, 1)
    strikes = old.strikes + 1 if old.until <= now else old.strikes
    # A disabled scope stays so whatever else it meets, and for the reason that disabled it.
    cause = old.cause if old.disabled and failure.cause not in DISABLING else failure.cause
    until = max(old.until, now + _rest_s(failure, strikes))
    return Rest(now, until, cause, old.disabled or cause in DISABLING, strikes)


def _merged(own: Rest, other: Rest) -> Rest:
    """What two pods know of one scope: the longer rest, and the graver reason. Who probes is the
    board's to say, for it granted the probe."""
    graver = other if other.disabled or not own.disabled else own
    return Rest(
        max(own.since, other.since),
        max(own.until, other.until),
        graver.cause,
        own.disabled or other.disabled,
        max(own.strikes, other.strikes),
        other.probing_until,
    )


def _rest_s(failure: Failure, strikes: int) -> float:
    if failure.cause in DISABLING:
        first, last = PROBE_FIRST_S, PROBE_LAST_S
    else:
        first, last = REST_FIRST_S, REST_LAST_S
    own = min(first * 2.0 ** (strikes - 1), last)
    told = failure.retry_after_s
    return own if told is None else max(told, own if failure.cause in DISABLING else 0.0)
