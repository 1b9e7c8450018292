"""Budgets of callers and labels: every attempt reserves what it will probably cost.

A bound is a bound: a model whose price is not known is refused, unless the budget says that such
models are free. What is refused is not to be retried, so it comes without RetryInfo.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from sidecar.core.clock import Clock
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.money import Price, cost_of
from sidecar.core.request import Request
from sidecar.core.target import Target
from sidecar.core.usage import Usage
from sidecar.ledger.query import UsageQuery, UsageReport
from sidecar.limits.bucket import Cost
from sidecar.limits.spend import Account, Rule, SpendStore, Spent

PriceOf = Callable[[Target, int], Price | None]
"""The price of a target for a prompt of so many tokens, now."""
Usages = Callable[[UsageQuery], Awaitable[UsageReport]]


class Spending:
    """All budgets of this daemon's configuration; `rules` may be replaced at any time."""

    def __init__(
        self, clock: Clock, store: SpendStore, price_of: PriceOf, rules: tuple[Rule, ...]
    ) -> None:
        self.rules = rules
        self._clock = clock
        self._store = store
        self._price_of = price_of
        self._held: dict[str, tuple[tuple[Account, ...], int]] = {}

    def start(self) -> None:
        """Begin what runs beside the requests, in the running loop."""
        if self.rules:
            self._store.start(self._accounts(self.rules))

    def apply(self, rules: tuple[Rule, ...]) -> None:
        """Other budgets from now on; what was spent of those that remain, is."""
        self.rules = rules
        self.start()

    async def recall(self, usage: Usages) -> None:
        """What the ledger knows of the windows that run: a bound survives a restart."""
        for account in self._accounts(self.rules):
            rule = account.rule
            labels = (rule.label,) if rule.label is not None else ()
            query = UsageQuery(account.window.start_ns, caller=rule.caller, labels=labels)
            spent = (await usage(query)).total.cost.total_nano_usd
            self._store.recall(account, spent)

    async def reserve(self, name: str, request: Request, target: Target, cost: Cost) -> None:
        """Take the estimate of one attempt, `name` until `settle`. Raises RequestFailed."""
        completion = request.completion
        rules = [r for r in self.rules if r.covers(completion.caller, dict(completion.labels))]
        if not rules:
            return
        accounts = self._accounts(rules)
        nano_usd = self._estimate(accounts, target, cost)
        refused = await self._store.reserve(accounts, nano_usd)
        if refused is not None:
            raise _refusal(refused, nano_usd)
        self._held[name] = (accounts, nano_usd)

    def settle(self, name: str, nano_usd: int) -> None:
        """The attempt cost so much."""
        held = self._held.pop(name, None)
        if held is not None:
            accounts, reserved = held
            for account in accounts:
                self._store.correct(account, nano_usd - reserved)

    def spent(self) -> tuple[Spent, ...]:
        """Every budget in its present window, for `GetStatus`."""
        return tuple(Spent(a, self._store.spent(a)) for a in self._accounts(self.rules))

    async def aclose(self) -> None:
        await self._store.aclose()

    def _accounts(self, rules: Iterable[Rule]) -> tuple[Account, ...]:
        wall_ns = self._clock.wall_ns()
        return tuple(rule.account(wall_ns) for rule in rules)

    def _estimate(self, accounts: tuple[Account, ...], target: Target, cost: Cost) -> int:
        price = self._price_of(target, cost.input_tokens)
        if price is not None:
            usage = Usage(cost.input_tokens, output_tokens=cost.output_tokens)
            return cost_of(usage, price).total_nano_usd
        strict = next((a for a in accounts if not a.rule.free_unpriced), None)
        if strict is not None:
            raise _unpriced(strict, target)
        return 0


def _refusal(refused: Spent, nano_usd: int) -> RequestFailed:
    rule = refused.account.rule
    left = max(rule.limit_nano_usd - refused.nano_usd, 0)
    return RequestFailed(
        Reason.BUDGET_EXHAUSTED,
        f"budget {rule.name!r} of {rule.subject} has {left} nano-USD left of {rule.limit_nano_usd} "
        f"for this {rule.per}, and the request needs about {nano_usd}; it begins anew at "
        f"{_time(refused.account)}",
        metadata={**_about(refused.account), "spent_nano_usd": str(refused.nano_usd)},
    )


def _unpriced(account: Account, target: Target) -> RequestFailed:
    return RequestFailed(
        Reason.BUDGET_EXHAUSTED,
        f"the price of {target.name} is not known, so budget {account.rule.name!r} cannot be kept; "
        "configure its price (0 if it is free)",
        metadata={**_about(account), "target": target.name},
    )


def _about(account: Account) -> dict[str, str]:
    rule = account.rule
    return {
        "budget": rule.name,
        "subject": rule.subject,
        "limit_nano_usd": str(rule.limit_nano_usd),
        "resets": _time(account),
    }


def _time(account: Account) -> str:
    end = datetime.fromtimestamp(account.window.end_ns // 1_000_000_000, UTC)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")
