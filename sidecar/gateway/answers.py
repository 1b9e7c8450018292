"""Answers that may be given again: the caller's own choice, request by request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from sidecar.cache.store import Cache
from sidecar.core.clock import Clock
from sidecar.core.events import (
    AttemptBegan,
    AttemptCause,
    Completed,
    Continuation,
    Event,
    Reasoning,
    Saved,
    Timings,
)
from sidecar.core.money import FREE
from sidecar.core.request import CachePolicy, Completion, Priority, Request
from sidecar.core.target import PhaseTimeouts
from sidecar.core.usage import NOTHING
from sidecar.failover.session import Session
from sidecar.gateway import tape

_json = msgspec.json.Encoder(order="deterministic")


class Answers:
    """Reads and writes the cache of answers. Only whole streams are kept."""

    def __init__(self, clock: Clock, cache: Cache) -> None:
        self._clock = clock
        self._cache = cache

    async def find(self, request: Request) -> list[Event] | None:
        """The events of an equal request's answer, or None."""
        if not request.completion.cache.read:
            return None
        data = await self._cache.get(_key(request.completion))
        if data is None:
            return None
        try:
            _, events, _ = tape.decode(data)
        except (msgspec.MsgspecError, IndexError, ValueError):
            return None
        return list(self._replayed(events, request))

    async def keep(self, session: Session, completed: Completed) -> None:
        """Remember a whole stream, if the caller asked for that."""
        completion = session.request.completion
        if not completion.cache.write:
            return
        last = completed.attempts[-1]
        began = AttemptBegan(
            number=1,
            provider=last.provider,
            model=last.model,
            key_alias="",
            cause=AttemptCause.FIRST,
            continuation=Continuation.FRESH,
            reason="",
            discard_after_sequence=0,
            waited_s=0.0,
        )
        deltas = session.transcript.deltas()
        if not completion.reasoning.deliver:
            # Kept for resuming, never sent: the next caller has asked for none of it either.
            deltas = [delta for delta in deltas if not isinstance(delta, Reasoning)]
        events: list[Event] = [began, *deltas, completed]
        data = tape.encode(b"", events, None)
        await self._cache.set(_key(completion), data, completion.cache.ttl_s)

    def _replayed(self, events: list[Event], request: Request) -> Iterator[Event]:
        """Nothing was bought for this request, so its usage and cost are nothing."""
        for event in events:
            if isinstance(event, Completed):
                total_s = self._clock.now() - request.received
                yield msgspec.structs.replace(
                    event,
                    usage=NOTHING,
                    cost=FREE,
                    timings=Timings(total_s=total_s),
                    attempts=(),
                    cached=True,
                    saved=Saved(),
                )
            else:
                yield event


def _key(completion: Completion) -> str:
    """Equal for requests that ask for the same answer, whoever asks, however urgently."""
    bare = msgspec.structs.replace(
        completion,
        caller="",
        labels=(),
        priority=Priority.NORMAL,
        on_interruption=None,
        max_cost_nano_usd=None,
        cache=CachePolicy(),
        timeouts=PhaseTimeouts(),
    )
    return "answer:" + hashlib.blake2b(_json.encode(bare), digest_size=20).hexdigest()
