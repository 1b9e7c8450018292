"""What a configuration means, in words."""

from __future__ import annotations

import pytest

from sidecar.config.explain import explain, lines, price, warnings
from sidecar.core.money import Price
from sidecar.ledger.prices import UNPRICED, Quote
from tests.config.making import GOOD, resolved, with_limit, with_provider

PRICE = Price(150_000_000, 600_000_000, 3_000_000)


def told(text: str, unreadable: dict[str, str] | None = None, known: bool = True) -> list[str]:
    quote = Quote(PRICE, "configured") if known else UNPRICED
    points = explain(resolved(text), unreadable or {}, lambda provider, model: quote)
    return [line.strip() for line, _ in lines(points)]


def warned(text: str, unreadable: dict[str, str] | None = None, known: bool = True) -> list[str]:
    quote = Quote(PRICE, "configured") if known else UNPRICED
    return list(warnings(explain(resolved(text), unreadable or {}, lambda provider, model: quote)))


def of_limit(limit: str) -> list[str]:
    """The lines on the one limit of an account."""
    found = told(with_limit(limit))
    start = next(place for place, line in enumerate(found) if line.startswith("key k")) + 1
    return found[start : found.index("routes")]


def test_a_burst_above_the_limit_is_told_in_figures() -> None:
    assert of_limit("{requests: 60, per: 60s, burst: 120}") == [
        "60 requests per 60s, burst 120",
        "60 per 60 s with burst 120 lets 180 through in the first 60 s; a provider that allows 60 "
        "in that window will refuse 120",
        "at most 121 in any 1s, 3,720 in any 60m, 86,520 in any 24h",
    ]


def test_a_limit_that_overruns_no_window_is_told_without_a_warning() -> None:
    limit = "{requests: 60, per: 60s, burst: 1}"

    assert of_limit(limit)[1] == "lets 61 through in the first 60s, 60 in each 60s after that"
    assert warned(f"ledger: {{path: /l.db}}\n{with_limit(limit)}") == []


@pytest.mark.parametrize(
    ("limit", "made"),
    [
        ("{requests: 60, per: 60s, mode: window_safe}", "45 requests per 60s, burst 15"),
        ("{requests: 1, per: 60s, mode: window_safe}", "1 request per 2m, burst 1"),
    ],
)
def test_a_window_safe_limit_says_what_it_was_made_and_why(limit: str, made: str) -> None:
    amount = limit.split()[1].rstrip(",")

    assert of_limit(limit)[:2] == [
        made,
        f"lets no more than {amount} through in any 60s, as asked for",
    ]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("{tokens: 1000000, per: 1m, burst: 1}", "1,000,000 tokens per 60s, burst 1"),
        ("{input_tokens: 5, per: 2h, burst: 1}", "5 input tokens per 2h, burst 1"),
        ("{output_tokens: 5, per: 250ms, burst: 1}", "5 output tokens per 250ms, burst 1"),
        ("{requests: 5, each: key, burst: 1}", "5 requests per 60s, burst 1, for the one key"),
        ("{requests: 5, burst: 1, class: plain}",
         "5 requests per 60s, burst 1, for requests that do not reason"),
        ("{concurrency: 5, models: [a, 'b*']}", "at most 5 requests at a time, for a, b*"),
    ],
)  # fmt: skip
def test_every_limit_says_what_it_counts_and_for_whom(limit: str, text: str) -> None:
    assert of_limit(limit)[0] == text


def test_an_account_without_limits_says_so() -> None:
    assert "no limit: it is asked as fast as callers ask, until it says 429" in told(GOOD)


def test_each_key_says_where_it_is_from() -> None:
    found = told(GOOD)

    assert "key a1: from environment variable KEY_ONE, readable" in found
    assert "key a2: from file /run/secrets/two, readable" in found


def test_a_key_that_cannot_be_read_is_a_warning() -> None:
    path = "providers.deepseek.accounts.team-a.keys.a2"

    assert "key a2: cannot read /run/secrets/two" in warned(
        GOOD, {path: "cannot read /run/secrets/two"}
    )


def test_a_provider_without_a_key_is_a_warning() -> None:
    assert "no key: nothing can be asked of it" in warned("providers: {openai: {}}")


def test_a_server_of_ones_own_without_a_key_is_none() -> None:
    assert "no key is sent" in told(with_provider("accounts: {}"))


def test_a_target_says_what_it_can_what_it_costs_and_how_long_it_is_waited_for() -> None:
    found = told(GOOD)
    start = found.index("deepseek/deepseek-v4-pro")

    able, cost, clocks = found[start + 1 : start + 4]
    assert able.startswith("thinks, takes tools")
    assert able.endswith("a broken stream is continued, in the reasoning and in the answer")
    assert cost == (
        "costs 0.15 in, 0.003 where cached, 0.6 out, USD per million tokens (configured)"
    )
    assert clocks.startswith("waits at most 5s for connecting, ")


def test_a_price_that_nobody_knows_is_a_warning() -> None:
    assert "its price is not known: costs will be told as unknown" in warned(GOOD, known=False)


def test_a_route_says_what_happens_when_a_stream_breaks() -> None:
    text = with_provider("accounts: {}")
    text += "\nroutes: {r: {targets: [p/m], on_interruption: fail, handoff: true, retries: 0}}"

    assert (
        "r: a stream that breaks is ended with an error; kept reasoning is handed to a target that "
        "cannot continue it; no target is asked again, a better target is waited for 250ms"
    ) in told(text)


def test_a_password_in_an_address_is_not_shown() -> None:
    text = with_provider("proxy: 'http://user:hunter2@proxy:8080'").replace(
        "http://h/v1", "http://me:hunter3@h/v1"
    )

    found = "\n".join(told(text))
    assert "through the proxy http://proxy:8080" in found
    assert "openai-chat at http://h/v1" in found
    assert "hunter" not in found


def test_a_door_to_the_network_without_tokens_is_a_warning() -> None:
    text = "listen: ['0.0.0.0:7410']\nserver: {public: true}\n" + with_provider("accounts: {}")

    assert "0.0.0.0:7410, callers from other hosts allowed" in warned(text)


def test_tokens_of_callers_are_named_not_shown() -> None:
    tokens = "server: {caller_tokens: [{name: app, env: APP_TOKEN}]}\n"

    assert "callers must show one of these tokens: app" in told(
        tokens + with_provider("accounts: {}")
    )


def test_a_ledger_in_memory_is_a_warning_and_one_in_a_file_is_not() -> None:
    base = with_provider("accounts: {}")

    assert "the ledger in memory: it is gone when the daemon ends" in warned(base)
    assert "the ledger in /l.db, for 90d" in told(f"ledger: {{path: /l.db}}\n{base}")


def test_what_telemetry_sends_is_told() -> None:
    text = "telemetry: {otlp_endpoint: 'http://c:4317', sample_ratio: 0.25, content: true}\n"

    assert (
        "nothing of telemetry: 25 % of traces, with prompts and answers, and metrics every 60s, go "
        "to http://c:4317"
    ) in told(text + with_provider("accounts: {}"))


def test_the_health_door_and_the_store_are_told() -> None:
    text = "health: '[::]:7411'\nstore: redis://user:hunter2@r:6379/0\n"
    found = told(text + with_provider("accounts: {}"))

    assert "[::]:7411, for probes alone" in found
    shared = "limits in Redis, shared by all daemons that name it: redis://r:6379/0"
    assert shared in found
    assert "hunter2" not in "\n".join(found)


def test_the_shares_of_callers_are_told() -> None:
    text = "callers: {search: {weight: 4}, reports: {weight: 0.5}}\n"

    assert (
        "while they wait in one queue they share it as search 4, reports 0.5, everybody else 1"
    ) in told(text + with_provider("accounts: {}"))


def test_a_store_with_its_password_in_the_file_is_warned_of() -> None:
    text = "store: redis://user:hunter2@r:6379/0\n" + with_provider("accounts: {}")

    assert any("its password stands in the file" in line for line in warned(text))


def test_a_price_without_a_cached_one_has_two_figures() -> None:
    assert price(Price(1_000_000_000, 2_500_000_000)) == "1 in, 2.5 out, USD per million tokens"
