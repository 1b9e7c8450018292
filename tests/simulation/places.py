"""The places of every world: its configuration, its keys, what its providers charge and allow."""

from __future__ import annotations

import datetime

from sidecar.config.load import parse
from sidecar.config.resolve import Resolved, resolve
from sidecar.core.money import Cost, Price, cost_of, price_per_million
from sidecar.core.usage import Usage
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.testing import Quota

SECRET = "sk-planted-simulation-"

# Every way of failing that another target or another attempt can mend.
FAULTS = (
    "http-429", "http-429-2", "http-500", "http-503", "http-529", "lose-reset", "lose-close",
    "cut-reasoning-5", "cut-answer-7", "cut-byte-900", "rst-answer-3", "eof-reasoning-4",
    "eof-answer-9", "stall-8-400", "first-500", "silent-300", "error-openai-4", "error-vllm-0",
    "firsterror-openai", "error-deepseek-6", "no-finish", "empty", "html", "html-502", "no-done",
    "frame-crlf", "frame-comments", "chunk-7", "lateerror-openrouter",
    "prefix-echo+cut-answer-8", "prefix-restart+cut-answer-12", "prefix-refuse+cut-reasoning-6",
)  # fmt: skip

# What a provider says from these on until we hang up cannot be counted from outside: its bill
# cannot be matched to the token.
UNCOUNTABLE = ("garbage-6", "broken-6", "badbytes-5")

# The prices of deepseek follow its clock: dear at its peak hours of working days (UTC).
CONFIG = """
providers:
  deepseek:
    base_url: http://alpha
    accounts:
      a:
        keys: [{name: a1, env: A1}, {name: a2, env: A2}]
        limits: [{requests: 600, per: 60s, burst: 40}, {concurrency: 60}]
      b:
        keys: [{name: b1, env: B1}]
        limits: [{tokens: 200000, per: 60s, burst: 60000, class: reasoning}, {concurrency: 60}]
    timeouts: {headers: 30s, first_event: 60s, total: 900s}
    models:
      "fake-*":
        reasoning: true
        resume: prefix
        price:
          - {input: 0.15, output: 0.60}
          - {input: 0.30, output: 1.20, days: mon-fri, hours: ["01:00-04:00", "06:00-10:00"]}
  second:
    dialect: openai-chat
    base_url: http://beta/v1
    accounts: {c: {keys: [{name: c1, env: C1}]}}
    models:
      "*#soon": {reasoning: true, price: {input: 1.0, output: 4.0}, timeouts: {headers: 20s, first_event: 20s}}
      "fake-*": {reasoning: true, price: {input: 1.0, output: 4.0}}
  third:
    dialect: openai-chat
    base_url: http://gamma/v1
    accounts: {d: {keys: [{name: d1, env: D1}]}}
    models: {"fake-*": {reasoning: true, price: {input: 2.0, output: 8.0}}}
routes:
  default: {targets: [deepseek/fake-reasoner-12-16, second/fake-reasoner-9-20, third/fake-60]}
  pair: {targets: [second/fake-reasoner-9-20, deepseek/fake-reasoner-12-16], patience: 1s}
  alone: {targets: [deepseek/fake-reasoner-12-16], retries: 5}
  handing: {targets: [second/fake-reasoner-9-20#soon, third/fake-60, deepseek/fake-reasoner-12-16], handoff: true}
  hedged: {targets: [deepseek/fake-reasoner-12-16, second/fake-reasoner-9-20, third/fake-60], hedge: {after: 2s, share: 0.5}}
"""  # noqa: E501
KEYS = (("deepseek", "a", "a1"), ("deepseek", "a", "a2"), ("deepseek", "b", "b1"),
        ("second", "c", "c1"), ("third", "d", "d1"))  # fmt: skip
HOSTS = {"deepseek": "alpha", "second": "beta", "third": "gamma"}
ROUTES = {
    "default": ("deepseek", "second", "third"),
    "pair": ("second", "deepseek"),
    "alone": ("deepseek",),
    "handing": ("second", "third", "deepseek"),
    "hedged": ("deepseek", "second", "third"),
}
# What callers ask for: of the plain worlds, and of those in which routes do more.
PLAIN = ("default", "default", "pair", "alone")
RICH = (*PLAIN, "handing", "handing", "hedged", "hedged")
MOST_HEDGED = 0.5
QUOTAS = {
    "second": (Quota("second requests", "bucket", 240, per_s=60.0, burst=20),),
    "third": (Quota("third requests", "sliding", 600, per_s=60.0, scope="key"),),
}


def keys_of(provider: str) -> list[str]:
    return [alias for owner, _, alias in KEYS if owner == provider]


def resolved() -> Resolved:
    return resolve(parse(CONFIG), PROFILES, set(DIALECTS))


def _dollars(input_usd: str, output_usd: str) -> Price:
    return Price(price_per_million(input_usd), price_per_million(output_usd))


# The providers' own price lists, written apart from the configuration: the bill must not be
# reckoned by the code that it judges.
PRICES = {
    "deepseek": _dollars("0.15", "0.60"),
    "second": _dollars("1", "4"),
    "third": _dollars("2", "8"),
}
PEAK = _dollars("0.30", "1.20")
PEAK_HOURS = (range(1, 4), range(6, 10))


def charged(provider: str, usage: Usage, wall_ns: int) -> Cost:
    """What `provider` asks for `usage` of a request that reached it at `wall_ns`."""
    return cost_of(usage, PEAK if provider == "deepseek" and _peak(wall_ns) else PRICES[provider])


def _peak(wall_ns: int) -> bool:
    when = datetime.datetime.fromtimestamp(wall_ns // 1_000_000_000, datetime.UTC)
    return when.weekday() < 5 and any(when.hour in hours for hours in PEAK_HOURS)
