"""What a configuration means, in words: what it listens on, whom it calls, what its limits let
through, what may be waited for. Pure: whether a key can be read, and what a model costs, is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from sidecar.config import budgets
from sidecar.config.durations import seconds
from sidecar.config.limits import ResolvedLimit
from sidecar.config.resolve import Resolved, ResolvedAccount, ResolvedProvider
from sidecar.config.schema import KeySource
from sidecar.config.store import IN_THE_FILE, own_password
from sidecar.core.money import Price
from sidecar.core.target import Hedge, Phases, Resume, Route, Target
from sidecar.ledger.prices import Quote
from sidecar.limits.bucket import Bucket, Dimension, admitted_within, warning
from sidecar.limits.spend import Rule

# provider and model to the price now; path of a key to why it cannot be read, "" if it can.
QuoteOf = Callable[[str, str], Quote]


class Point(msgspec.Struct, frozen=True):
    """One statement, and what there is to say about it. `warns`: somebody should look at it."""

    text: str
    below: tuple[Point, ...] = ()
    warns: bool = False


RESUMES = {
    Resume.PREFIX: "a broken stream is continued, in the reasoning and in the answer",
    Resume.PREFILL: "a broken answer is continued, broken reasoning begins anew",
    Resume.NONE: "a broken stream begins anew",
}
INTERRUPTIONS = {
    "resume": "continued where the target can, else begun anew",
    "restart": "begun anew",
    "fail": "ended with an error",
}
HANDED = "kept reasoning is handed to a target that cannot continue it; "
UNITS = {
    Dimension.REQUESTS: "requests",
    Dimension.TOKENS: "tokens",
    Dimension.INPUT_TOKENS: "input tokens",
    Dimension.OUTPUT_TOKENS: "output tokens",
}
# A second, a minute, an hour, a day.
WINDOWS_S = (1.0, 60.0, 3600.0, 86_400.0)
CLASSES = {"reasoning": "for requests that reason", "plain": "for requests that do not reason"}


def explain(resolved: Resolved, unreadable: Mapping[str, str], quote: QuoteOf) -> tuple[Point, ...]:
    """Everything that is worth knowing before a start.

    `unreadable` has the path of each key that cannot be read, such as
    providers.deepseek.accounts.a.keys.a1, and why. `quote` gives a model's price now.
    """
    return (
        Point("listens on", tuple(_doors(resolved))),
        Point("keeps", tuple(_keeps(resolved))),
        Point("providers", tuple(_provider(p, unreadable) for p in resolved.providers.values())),
        Point("routes", tuple(_routes(resolved, quote))),
        *_callers(resolved),
        *_budgets(resolved, quote),
    )


def _callers(resolved: Resolved) -> Iterator[Point]:
    if resolved.weights:
        weights = ", ".join(f"{name} {weight:g}" for name, weight in resolved.weights.items())
        shares = Point(f"while they wait in one queue they share it as {weights}, everybody else 1")
        yield Point("callers", (shares,))


def _budgets(resolved: Resolved, quote: QuoteOf) -> Iterator[Point]:
    rules = budgets.rules(resolved.config)
    if rules:
        yield Point("budgets", tuple(_budget(rule, resolved, quote) for rule in rules))


def _budget(rule: Rule, resolved: Resolved, quote: QuoteOf) -> Point:
    whose = f"requests labelled {rule.subject}" if rule.label else f"caller {rule.subject}"
    text = f"{rule.name}: {whose}, {_usd(rule.limit_nano_usd)} USD per {rule.per} ({rule.zone})"
    targets = {target for route in resolved.routes for target in route.targets}
    unpriced = sorted(t.name for t in targets if quote(t.provider, t.model).price is None)
    if not unpriced:
        return Point(text)
    told = "counts as free" if rule.free_unpriced else "is refused there"
    below = f"{told}, for no price is known: {', '.join(unpriced)}"
    return Point(text, (Point(below, warns=not rule.free_unpriced),))


def _doors(resolved: Resolved) -> Iterator[Point]:
    config = resolved.config
    for address in config.listen:
        if address.startswith("unix:"):
            yield Point(f"{address}, mode {config.server.socket_mode}")
        elif config.server.public:
            yield Point(f"{address}, callers from other hosts allowed", warns=_open(resolved))
        else:
            yield Point(f"{address}, this host alone")
    if config.health:
        yield Point(f"{config.health}, for probes alone")
    if config.server.caller_tokens:
        names = ", ".join(token.name for token in config.server.caller_tokens)
        yield Point(f"callers must show one of these tokens: {names}")


def _open(resolved: Resolved) -> bool:
    return not resolved.config.server.caller_tokens


def _keeps(resolved: Resolved) -> Iterator[Point]:
    config = resolved.config
    if config.store.shared:
        told = f"limits in Redis, shared by all daemons that name it: {config.store.place}"
        own = Point(f"its password {IN_THE_FILE}", warns=True)
        below = (own,) if own_password(config.store) else ()
        yield Point(told, below)
    else:
        yield Point("limits in memory: they are this daemon's own, not shared with other pods")
    if config.ledger.path:
        yield Point(f"the ledger in {config.ledger.path}, for {_span(seconds(config.ledger.keep))}")
    else:
        yield Point("the ledger in memory: it is gone when the daemon ends", warns=True)
    telemetry = config.telemetry
    if telemetry.otlp_endpoint:
        share = "all" if telemetry.sample_ratio == 1 else f"{100 * telemetry.sample_ratio:.3g} % of"
        content = ", with prompts and answers" if telemetry.content else ""
        yield Point(
            f"nothing of telemetry: {share} traces{content}, and metrics every "
            f"{_span(seconds(telemetry.interval))}, go to {telemetry.otlp_endpoint}"
        )
    else:
        yield Point("no traces and no metrics: telemetry.otlp_endpoint is not set")


def _provider(provider: ResolvedProvider, unreadable: Mapping[str, str]) -> Point:
    profile = provider.profile
    below = [_account(provider, account, unreadable) for account in provider.accounts]
    if provider.keyless:
        below.append(Point("no key is sent"))
    elif not any(account.keys for account in provider.accounts):
        below.append(Point("no key: nothing can be asked of it", warns=True))
    if provider.proxy:
        below.append(Point(f"through the proxy {_without_password(provider.proxy)}"))
    if provider.ca_file:
        below.append(Point(f"certificates of {provider.ca_file} are trusted besides"))
    where = f"{profile.dialect} at {_without_password(profile.base_url)}"
    return Point(f"{provider.name}: {where}", tuple(below))


def _without_password(address: str) -> str:
    """A URL may hold one before its host."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _account(
    provider: ResolvedProvider, account: ResolvedAccount, unreadable: Mapping[str, str]
) -> Point:
    path = f"providers.{provider.name}.accounts.{account.name}.keys"
    keys = [_key(source, unreadable.get(f"{path}.{source.name}", "")) for source in account.keys]
    limits = [_limit(provider.name, account, limit) for limit in account.limits]
    if not limits:
        limits = [Point("no limit: it is asked as fast as callers ask, until it says 429")]
    return Point(f"account {account.name}", (*keys, *limits))


def _key(source: KeySource, why_not: str) -> Point:
    if why_not:
        return Point(f"key {source.name}: {why_not}", warns=True)
    where = f"file {source.file}" if source.file else f"environment variable {source.env}"
    return Point(f"key {source.name}: from {where}, readable")


def _limit(provider: str, account: ResolvedAccount, limit: ResolvedLimit) -> Point:
    bucket = limit.bucket(provider, account.name, "KEY")
    if limit.dimension is Dimension.CONCURRENCY:
        return Point(f"at most {limit.limit:,} requests at a time{_scope(account, limit)}")
    unit, window = UNITS[limit.dimension], _span(limit.per_s)
    unit = unit.removesuffix("s") if limit.limit == 1 else unit
    text = f"{limit.limit:,} {unit} per {window}, burst {limit.burst:,}{_scope(account, limit)}"
    return Point(text, (_effect(limit, bucket, window), Point(_windows(bucket))))


def _windows(bucket: Bucket) -> str:
    """The most that any window of some usual lengths sees."""
    others = (length_s for length_s in WINDOWS_S if length_s != bucket.per_s)
    most = (f"{admitted_within(bucket, at_s):,} in any {_span(at_s)}" for at_s in others)
    return f"at most {', '.join(most)}"


def _effect(limit: ResolvedLimit, bucket: Bucket, window: str) -> Point:
    """What a rate lets through, and whether that is likely more than is meant."""
    if limit.safe:
        asked = _span(seconds(limit.per_text))
        return Point(f"lets no more than {limit.written:,} through in any {asked}, as asked for")
    if told := warning(bucket):
        return Point(told, warns=True)
    most = admitted_within(bucket, limit.per_s)
    return Point(
        f"lets {most:,} through in the first {window}, {limit.limit:,} in each {window} after that"
    )


def _scope(account: ResolvedAccount, limit: ResolvedLimit) -> str:
    """Whose limit it is and for which requests."""
    keys = f"for each of {len(account.keys)} keys" if len(account.keys) > 1 else "for the one key"
    parts = [keys if limit.each_key else ""]
    parts += [CLASSES.get(limit.cls, "")]
    parts += [f"for {', '.join(limit.models)}" if limit.models else ""]
    return "".join(f", {part}" for part in parts if part)


def _routes(resolved: Resolved, quote: QuoteOf) -> Iterator[Point]:
    for route in resolved.routes:
        yield _route(route, quote)
    names = ", ".join(f"{name}/MODEL" for name in resolved.providers)
    yield Point(f"and any model of a provider by its name: {names}")


def _route(route: Route, quote: QuoteOf) -> Point:
    text = (
        f"{route.name}: a stream that breaks is {INTERRUPTIONS[route.on_interruption]}; "
        f"{HANDED if route.handoff else ''}{_hedged(route.hedge)}"
        f"{_again(route.retries)}, a better target is waited for {_span(route.patience_s)}"
    )
    return Point(text, tuple(_target(target, quote) for target in route.targets))


def _hedged(hedge: Hedge | None) -> str:
    if hedge is None:
        return ""
    late = "its target's 95th percentile" if hedge.after_s is None else _span(hedge.after_s)
    return (
        f"where the first token is later than {late}, a second target is asked beside it, "
        f"for at most {100 * hedge.share:.3g} % of the requests; "
    )


def _again(retries: int) -> str:
    if retries == 0:
        return "no target is asked again"
    times = {1: "once", 2: "twice"}.get(retries, f"{retries} times")
    return f"each target is asked again up to {times}"


def _target(target: Target, quote: QuoteOf) -> Point:
    able = [
        "thinks" if target.reasoning else "does not think",
        *(["takes tools"] if target.tools else []),
        *(["takes images"] if target.images else []),
    ]
    if target.context_tokens:
        able.append(f"{target.context_tokens:,} tokens of context")
    found = quote(target.provider, target.model)
    below = (
        Point(f"{', '.join(able)}; {RESUMES[target.resume]}"),
        Point(f"costs {price(found.price)} ({found.tier})")
        if found.price is not None
        else Point("its price is not known: costs will be told as unknown", warns=True),
        Point(_clocks(target.phases)),
    )
    return Point(target.name, below)


def price(known: Price) -> str:
    """A price in USD for a million tokens."""
    cached = f", {_usd(known.cached_input)} where cached" if known.cached_input is not None else ""
    return f"{_usd(known.input)} in{cached}, {_usd(known.output)} out, USD per million tokens"


def _usd(nano: int) -> str:
    return f"{nano / 1e9:.6f}".rstrip("0").rstrip(".")


def _clocks(phases: Phases) -> str:
    clocks = (
        ("connecting", phases.connect_s),
        ("headers", phases.headers_s),
        ("the first token", phases.first_s),
        ("a pause in the reasoning", phases.reasoning_gap_s),
        ("a pause before the answer", phases.turn_s),
        ("a pause in the answer", phases.answer_gap_s),
        ("all of it", phases.total_s),
    )
    told = [f"{_span(value)} for {name}" for name, value in clocks if value is not None]
    return f"waits at most {', '.join(told)}; {_floor(phases)}"


def _floor(phases: Phases) -> str:
    if not phases.min_tokens_per_s:
        return "may be as slow as it likes"
    window = _span(phases.rate_window_s)
    return f"left for another target below {phases.min_tokens_per_s:g} tokens/s over {window}"


def _span(value_s: float) -> str:
    """A duration as it would be written in the file."""
    if value_s < 1 and value_s:
        return f"{value_s * 1000:g}ms"
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if value_s >= 2 * size and value_s % size == 0:
            return f"{value_s / size:g}{unit}"
    return f"{value_s:g}s"


def warnings(points: tuple[Point, ...]) -> Iterator[str]:
    """Everything that somebody should look at, in order."""
    for point in points:
        if point.warns:
            yield point.text
        yield from warnings(point.below)


def lines(points: tuple[Point, ...], indent: int = 0) -> Iterator[tuple[str, bool]]:
    """Indented lines, and whether each is a warning."""
    for point in points:
        yield " " * indent + point.text, point.warns
        yield from lines(point.below, indent + 2)
