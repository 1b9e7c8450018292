"""What a provider's answer teaches the buckets: its headers, and the body of a 429."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sidecar.core.clock import Clock
from sidecar.limits import learn
from sidecar.limits.bucket import Bucket
from sidecar.limits.store import Observation, Store

TELLING = ("x-ratelimit-", "anthropic-ratelimit-")
TOO_MANY = 429


class Teacher:
    """Tightens buckets by what providers say, never loosens them (limits reference, 1.4)."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store

    def answered(
        self, buckets: Iterable[Bucket], headers: Mapping[str, str], sent_ago_s: float
    ) -> None:
        """Headers of any answer but a 429."""
        if any(name.startswith(TELLING) for name in headers):
            told = learn.read(headers, "", self._clock.wall_ns())
            self._observe(learn.observations(told, buckets, sent_ago_s=sent_ago_s))

    def refused(
        self,
        buckets: Iterable[Bucket],
        headers: Mapping[str, str],
        body: bytes,
        sent_ago_s: float,
    ) -> None:
        """A 429 with its body."""
        text, wall_ns = body.decode("utf-8", "replace"), self._clock.wall_ns()
        told = learn.read(headers, text, wall_ns)
        wait_s = learn.retry_after_s(headers, text, wall_ns)
        self._observe(
            learn.observations(told, buckets, refused=True, wait_s=wait_s, sent_ago_s=sent_ago_s)
        )

    def _observe(self, found: Iterable[tuple[str, Observation]]) -> None:
        for bucket_id, observation in found:
            self._store.observe(bucket_id, observation)
