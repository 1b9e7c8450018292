"""The shape of the configuration file. Defaults are what a user gets who writes nothing."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from sidecar.failover import retries

OnInterruption = Literal["resume", "restart", "fail"]
Policy = Literal["least_wait", "round_robin"]

DEFAULT_LISTEN = ("unix:///run/headway/headway.sock",)


class KeySource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a credential is: a file (re-read when it changes) or an environment variable."""

    name: str
    file: str = ""
    env: str = ""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"cls": "class"}):
    """One limit of an account; exactly one of the five counts is given.

    `per` and `burst` belong to rates; without `burst`, `mode: window_safe` derives one that no
    window of `per` can overrun, and `plain` takes the limit itself. `each: key` makes one bucket a
    key. `models` are shell patterns, empty for all. `class` restricts it to requests that reason,
    or do not.
    """

    requests: int | None = None
    tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrency: int | None = None
    per: str | float = "60s"
    burst: int | None = None
    mode: Literal["plain", "window_safe"] = "plain"
    each: Literal["account", "key"] = "account"
    models: tuple[str, ...] = ()
    cls: Literal["", "reasoning", "plain"] = ""


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The owner of a quota, its credentials and its limits."""

    keys: tuple[KeySource, ...] = ()
    limits: tuple[Limit, ...] = ()


class PriceTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price as published: USD per million tokens, written as text or number.

    The conditions narrow it: `since` and `until` are dates (UTC), `hours` windows such as
    "01:00-04:00", `days` such as "mon-fri", `zone` their time zone, `above_input_tokens` the
    context length from which it counts. The last tier that fits decides.
    """

    input: str | float
    output: str | float
    cached_input: str | float | None = None
    cache_write: str | float | None = None
    request: str | float = 0
    since: str = ""
    until: str = ""
    days: str = ""
    hours: tuple[str, ...] = ()
    zone: str = "UTC"
    above_input_tokens: int = 0


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the configuration says of one model (a name or a shell pattern)."""

    reasoning: bool | None = None
    resume: Literal["none", "prefill", "prefix"] | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    images: bool | None = None
    tools: bool | None = None
    upstream: str | None = None
    quirks: dict[str, Any] = {}
    timeouts: dict[str, str | float] = {}
    price: tuple[PriceTier, ...] | PriceTier | None = None


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One provider. A built-in name needs only its accounts."""

    dialect: str = ""
    base_url: str = ""
    auth: str = ""
    accounts: dict[str, Account] = {}
    models: dict[str, Model] = {}
    default_model: Model | None = None
    quirks: dict[str, Any] = {}
    headers: dict[str, str] = {}
    timeouts: dict[str, str | float] = {}
    ca_file: str = ""
    proxy: str = ""
    propagate_trace: bool = False


class HedgeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second attempt where the first token is later than `after`: a duration, or "p95" for the
    target's own. At most for that `share` of the requests."""

    after: str | float = "p95"
    share: float = 0.05


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name that callers ask for, and the targets behind it, best first."""

    targets: tuple[str, ...]
    on_interruption: OnInterruption = "resume"
    handoff: bool = False
    retries: int = 2
    patience: str | float = "250ms"
    hedge: HedgeConfig | None = None


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where limits are kept. `store: ADDRESS` is short for `store: {url: ADDRESS}`.

    The password is in a file or an environment variable; one in the `url` works too, and is never
    shown. `ca_file` are the roots (PEM) that a server is checked against, for rediss addresses.
    """

    SHORT: ClassVar[str] = "url"

    url: str = "memory"
    user: str = ""
    password_file: str = ""
    password_env: str = ""
    ca_file: str = ""

    @property
    def shared(self) -> bool:
        """Do other daemons see the same limits?"""
        return self.url != "memory"

    @property
    def place(self) -> str:
        """The address without user, password and options: for people."""
        scheme, mark, rest = self.url.partition("?")[0].partition("://")
        return scheme + mark + rest.rpartition("@")[2]

    def __repr__(self) -> str:
        return f"StoreConfig({self.place})"


class LedgerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`path` of the SQLite file; "" keeps it in memory. `keep` is how long entries stay."""

    path: str = ""
    keep: str | float = "90d"


class TelemetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`otlp_endpoint` "" exports nothing. `sample_ratio` of traces that begin here.

    `content`: prompts and answers go into spans. `semconv`: the value of
    OTEL_SEMCONV_STABILITY_OPT_IN. `resource`: further resource attributes.
    """

    otlp_endpoint: str = ""
    sample_ratio: float = 1.0
    content: bool = False
    semconv: str = ""
    interval: str | float = "60s"
    headers: dict[str, str] = {}
    resource: dict[str, str] = {}


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The doors. `public` allows TCP beyond loopback, in so many words."""

    engine: Literal["auto", "loop", "aio"] = "auto"
    socket_mode: str = "0660"
    public: bool = False
    reflection_on_tcp: bool = False
    max_message_bytes: int = 16 * 1024 * 1024
    max_streams: int = 4096
    max_waiting: int = 1024
    caller_tokens: tuple[KeySource, ...] = ()
    default_timeout: str | float = "600s"
    drain_grace: str | float = "25s"
    replay_keep: str | float = "300s"
    replay_linger: str | float = "30s"
    recollect: bool = True
    recollect_keep: str | float = "1h"
    recollect_bytes: int = 8 * 1024 * 1024


class BreakerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a target's breaker trips, and for how long."""

    consecutive: int = 5
    share: float = 0.5
    at_least: int = 20
    window: str | float = "30s"
    open: str | float = "2s"
    open_max: str | float = "15s"


class CallerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one caller (`Completion.caller`) gets. `weight`: its share of a queue among callers."""

    weight: float = 1.0


class BudgetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller, or a label ("job=nightly"), may spend in a calendar window of `zone`.

    `limit` in USD, as text or number. `unpriced`: what becomes of models whose price is not known.
    """

    limit: str | float
    per: Literal["hour", "day", "month"]
    caller: str = ""
    label: str = ""
    zone: str = "UTC"
    unpriced: Literal["refuse", "free"] = "refuse"


class RetryBudgetConfig(retries.RetryLimits, frozen=True, forbid_unknown_fields=True):
    """How much of what a target is asked may be asked again: a `share`, and a few besides."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    listen: tuple[str, ...] = DEFAULT_LISTEN
    health: str = ""
    store: StoreConfig = StoreConfig()
    pool: Policy = "least_wait"
    providers: dict[str, Provider] = {}
    routes: dict[str, RouteConfig] = {}
    callers: dict[str, CallerConfig] = {}
    budgets: dict[str, BudgetConfig] = {}
    ledger: LedgerConfig = LedgerConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    server: ServerConfig = ServerConfig()
    breaker: BreakerConfig = BreakerConfig()
    retry_budget: RetryBudgetConfig = RetryBudgetConfig()
