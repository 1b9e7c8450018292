"""Keeping reasoning between two requests: in the cache, for a while, and not without bound."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from sidecar.cache.store import Cache
from sidecar.core.clock import Clock
from sidecar.core.request import Completion
from sidecar.failover.session import Session
from sidecar.gateway import recollection
from sidecar.gateway.lease import Lease
from sidecar.gateway.recollection import Kept, Owner


class RecollectionPolicy(msgspec.Struct, frozen=True):
    """`on`: whether anything is kept and put back. `keep_s`: how long a turn can be completed.
    `most_bytes`: what this daemon keeps in all; the oldest gives way. `most_turn_bytes`: a turn
    that is larger is not kept."""

    on: bool = True
    keep_s: float = 3600.0
    most_bytes: int = 8 * 1024 * 1024
    most_turn_bytes: int = 256 * 1024


class Recollections:
    """What the models thought in earlier turns, for callers that do not carry it themselves."""

    def __init__(self, clock: Clock, cache: Cache, policy: RecollectionPolicy) -> None:
        self._clock = clock
        self._cache = cache
        self._policy = policy
        self._keeps = policy.on and policy.keep_s > 0
        # Sizes and ends (loop seconds) of what was put into the cache here, oldest first.
        self._sizes: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._total = 0

    @property
    def total_bytes(self) -> int:
        """What is kept now by this daemon, in bytes."""
        return self._total

    async def keep(self, session: Session, lease: Lease) -> None:
        """Remember the stream that `lease` has just brought to its end, if any of it must go back.

        Nothing is awaited where there is nothing to keep.
        """
        if not self._keeps:
            return
        profile = lease.line.profile
        kept = recollection.worth_keeping(session.transcript, session.attempts, profile)
        if kept is None:
            return
        data = msgspec.msgpack.encode(kept)
        if len(data) > min(self._policy.most_turn_bytes, self._policy.most_bytes):
            return
        completion = session.request.completion
        owner = _owner(completion, lease)
        key = recollection.key_of_answer(owner, completion.messages, session.transcript)
        await self._cache.set(key, data, self._policy.keep_s)
        for old in self._make_room(key, len(data)):
            await self._cache.delete(old)

    async def restore(self, completion: Completion, lease: Lease) -> Completion:
        """`completion` with the reasoning put back that its caller left out."""
        profile = lease.line.profile
        if not self._keeps or not recollection.replays(profile):
            return completion
        wanted = recollection.lookups(_owner(completion, lease), completion.messages)
        if not wanted:
            return completion
        data = await self._cache.get_many([lookup.key for lookup in wanted])
        pairs = zip(wanted, data, strict=True)
        found = {lookup.place: kept for lookup, raw in pairs if (kept := _decoded(raw)) is not None}
        if not found:
            return completion
        messages = recollection.restored(completion.messages, found, profile)
        return msgspec.structs.replace(completion, messages=messages)

    def _make_room(self, key: str, size: int) -> list[str]:
        """Count `key` in, and name what must go for it."""
        now = self._clock.now()
        self._forget(key)
        self._sizes[key] = (size, now + self._policy.keep_s)
        self._total += size
        gone = []
        while self._sizes:
            oldest, (_, ends_at) = next(iter(self._sizes.items()))
            if ends_at > now and self._total <= self._policy.most_bytes:
                break
            self._forget(oldest)
            gone.append(oldest)
        return gone

    def _forget(self, key: str) -> None:
        size, _ = self._sizes.pop(key, (0, 0.0))
        self._total -= size


def _owner(completion: Completion, lease: Lease) -> Owner:
    profile, dialect = lease.line.profile, lease.line.profile.provider.dialect
    account = lease.key.account if dialect in recollection.SEALED else ""
    provider = lease.line.target.provider
    return Owner(completion.caller, dialect, provider, profile.upstream_model, account)


def _decoded(data: bytes | None) -> Kept | None:
    """None for a miss, and for bytes of another version."""
    if data is None:
        return None
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None


_decoder = msgspec.msgpack.Decoder(Kept)
