"""Lines: every target that may be called, with what is needed to call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

import httpx

from sidecar.config.durations import seconds
from sidecar.config.resolve import Resolved, ResolvedProvider
from sidecar.config.schema import BreakerConfig
from sidecar.core.target import Target
from sidecar.gateway.line import Line
from sidecar.keys.ring import Key
from sidecar.limits.bucket import Bucket
from sidecar.providers.table import DIALECTS
from sidecar.routing.breaker import Breaker, BreakerPolicy
from sidecar.upstream.http import Upstream

# Callers may name any model of a provider; so many beyond the routes' are kept at once.
MOST_DIRECT = 512
# Buckets are asked for at every look; so many (key, class) pairs a line are remembered.
MOST_BUCKET_SETS = 1024

Transports = Callable[[ResolvedProvider], httpx.AsyncBaseTransport]


class Upstreams:
    """One transport for each way to the network (its CA file, its proxy), kept over reloads."""

    def __init__(self, transports: Transports) -> None:
        self._transports = transports
        self._made: dict[tuple[str, str], Upstream] = {}

    def of(self, provider: ResolvedProvider) -> Upstream:
        way = (provider.ca_file, provider.proxy)
        upstream = self._made.get(way)
        if upstream is None:
            upstream = self._made[way] = Upstream(self._transports(provider))
        return upstream

    async def aclose(self) -> None:
        for upstream in self._made.values():
            await upstream.aclose()


class LineBook:
    """The lines of one version of the configuration; breakers live on from the version before."""

    def __init__(
        self, resolved: Resolved, upstreams: Upstreams, before: LineBook | None = None
    ) -> None:
        self._resolved = resolved
        self._upstreams = upstreams
        self._policy = breaker_policy(resolved.config.breaker)
        self._breakers: dict[str, Breaker] = before._breakers if before is not None else {}
        self._lines: dict[Target, Line] = {}
        self._direct: dict[tuple[str, str], Target] = {}
        self._named = {target for route in resolved.routes for target in route.targets}

    def target(self, provider: str, model: str) -> Target | None:
        """The target of a direct name, None if there is no such provider."""
        name = (provider, model)
        target = self._direct.get(name)
        if target is None and (found := self._resolved.providers.get(provider)) is not None:
            target = self._direct[name] = found.target(model)
        return target

    def line(self, target: Target) -> Line:
        line = self._lines.get(target)
        if line is None:
            self._make_room()
            line = self._lines[target] = self._made(target)
        return line

    def lines(self) -> Iterator[Line]:
        """The routes' targets, then whatever callers named directly."""
        for target in self._named:
            self.line(target)
        yield from sorted(self._lines.values(), key=lambda line: line.target.name)

    def _made(self, target: Target) -> Line:
        provider = self._resolved.providers[target.provider]
        profile = provider.target_profile(target.model)
        address = urlsplit(provider.profile.base_url)
        default_port = 443 if address.scheme == "https" else 80
        return Line(
            target=target,
            profile=profile,
            dialect=DIALECTS[profile.provider.dialect],
            upstream=self._upstreams.of(provider),
            breaker=self._breakers.setdefault(target.name, Breaker(self._policy)),
            buckets=_buckets_of(provider, target.model),
            system=profile.provider.telemetry_name or target.provider,
            address=address.hostname or "",
            port=address.port or default_port,
            propagate=provider.propagate_trace,
        )

    def _make_room(self) -> None:
        if len(self._lines) >= len(self._named) + MOST_DIRECT:
            for target in [t for t in self._lines if t not in self._named]:
                del self._lines[target]
                self._breakers.pop(target.name, None)
            self._direct.clear()


def _buckets_of(
    provider: ResolvedProvider, model: str
) -> Callable[[Key, bool], tuple[Bucket, ...]]:
    limits = {account.name: account.limits for account in provider.accounts}

    @lru_cache(maxsize=MOST_BUCKET_SETS)
    def buckets(account: str, alias: str, reasoning: bool) -> tuple[Bucket, ...]:
        return tuple(
            limit.bucket(provider.name, account, alias)
            for limit in limits.get(account, ())
            if limit.applies(model, reasoning)
        )

    return lambda key, reasoning: buckets(key.account, key.alias, reasoning)


def breaker_policy(config: BreakerConfig) -> BreakerPolicy:
    return BreakerPolicy(
        consecutive=config.consecutive,
        share=config.share,
        at_least=config.at_least,
        window_s=seconds(config.window),
        open_s=seconds(config.open),
        open_max_s=seconds(config.open_max),
    )
