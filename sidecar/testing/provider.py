"""The fake provider: it reads a request, decides, and hands back the steps of its answer.

Nothing here waits or knows a socket; `server` and `transport` carry the steps out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.testing import quotas, reading, telling
from sidecar.testing.actions import Action
from sidecar.testing.asked import Asked, Incoming, OnPrefix, Plan, compose
from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.dialects.base import BadRequest, Dialect, Refusal, Stamp
from sidecar.testing.dialects.owed import owed
from sidecar.testing.exchange import Exchange, Facts
from sidecar.testing.faults.base import (
    Applied,
    Behaviour,
    UnknownBehaviour,
    applied_all,
    read_behaviour,
)
from sidecar.testing.faults.table import FAULTS
from sidecar.testing.journal import Bill, Entry, Journal, charge
from sidecar.testing.scripts import ByModel, Listed, Script
from sidecar.testing.speech import Case, healthy
from sidecar.testing.texts import input_tokens

# A request may name its own faults, besides those of the model's name and the script.
FAULT_HEADER = "x-fake-faults"


class Counted(msgspec.Struct):
    """Attempts on one model name: since when, how many, and how many with each key."""

    since: float
    total: int = 0
    by_key: dict[str, int] = {}


class Visit(msgspec.Struct, frozen=True):
    """A request that was understood."""

    facts: Facts
    dialect: Dialect
    asked: Asked
    behaviour: Behaviour

    def refuse(self, refused: Refusal) -> Iterator[Action]:
        return reading.error_steps(self.dialect, self.asked.flavour, refused)


class FakeProvider:
    """One provider with its keys, limits, scripts, log and bill. `clock` is its only time.

    `began_at` is the clock's time from which the times in the log are counted.
    """

    def __init__(self, config: ProviderConfig, clock: Clock, script: Script | None = None) -> None:
        self.config = config
        self._clock = clock
        self.began_at = clock.now()
        self._keys = dict(config.keys)
        self._revoked: set[str] = set()
        self._numbers = 0
        self._behaviours: dict[str, Behaviour] = {}
        self.forget(script)

    def forget(self, script: Script | None = None) -> None:
        """Empty log, bill, counters and limits, and take another script; keys stay."""
        self.script = ByModel({"*": script} if script else {})
        self._quotas = quotas.Quotas(self.config.quotas)
        self._journal = Journal(self.config.keep, self.config.keep_bodies)
        self._counted: dict[str, Counted] = {}

    @property
    def log(self) -> tuple[Entry, ...]:
        """Every attempt that is kept, running ones included, in order of arrival."""
        return self._journal.entries()

    @property
    def bill(self) -> Bill:
        """What was charged so far."""
        return self._journal.bill()

    @property
    def journal(self) -> Journal:
        """Log and bill as they grow."""
        return self._journal

    def tell(self, model: str, faults: Sequence[str]) -> None:
        """The next attempts on `model` ("*": on any without a list) get these faults, in order.

        Raises UnknownBehaviour.
        """
        for text in faults:
            applied_all(text, FAULTS)
        self.script.scripts[model] = Listed(faults)

    def revoke(self, alias: str) -> None:
        """From now on the key named `alias` gets 401."""
        self._revoked.add(alias)

    def restore(self, alias: str) -> None:
        """The key named `alias` is good again."""
        self._revoked.discard(alias)

    def change_limit(self, name: str, amount: int) -> None:
        """Another amount for a limit, at once. KeyError if there is none of that name."""
        self._quotas.change(name, amount)

    def open(self, incoming: Incoming) -> Exchange:
        """Decide about a request. Every exchange must come to its `end`, whatever happens."""
        self._numbers += 1
        facts = Facts(
            number=self._numbers,
            received_s=self._clock.now() - self.began_at,
            received_wall_ns=self._clock.wall_ns(),
            incoming=incoming,
        )
        actions, hold = self._decide(facts)
        exchange = Exchange(
            facts,
            actions,
            began_at=self.began_at,
            price=functools.partial(self._price, facts),
            hold=hold,
            over=functools.partial(self._journal.ended, facts.number),
            moved=self._journal.moved,
        )
        self._journal.began(facts.number, exchange.entry)
        return exchange

    def _decide(self, facts: Facts) -> tuple[Iterator[Action], quotas.Hold | None]:
        """Is there such an endpoint, do I know you, and do I understand you?"""
        dialect = reading.dialect_of(facts.incoming.path)
        if dialect is None or facts.incoming.method != "POST":
            return reading.json_steps(404, {"error": {"message": "no such endpoint"}}), None
        facts.dialect = dialect.name
        if not self._knows(facts, dialect):
            return self._refuse(facts, dialect, reading.refusal("unauthorized"))
        try:
            asked = reading.read(facts, dialect)
            visit = Visit(facts, dialect, asked, self._behaviour(asked.model))
        except BadRequest as error:
            return self._refuse(facts, dialect, reading.refusal("invalid", str(error)))
        except UnknownBehaviour as error:
            # DeepSeek alone answers 400 to a model it does not know.
            status = 400 if facts.flavour == "deepseek" else 404
            return self._refuse(facts, dialect, reading.refusal("no_model", str(error), status))
        return self._admit(visit)

    def _knows(self, facts: Facts, dialect: Dialect) -> bool:
        secret = reading.secret_in(facts.incoming, dialect)
        if not secret and dialect.keyless:
            facts.key, facts.account = "nobody", "main"
            return True
        if secret and not self.config.keys and secret not in self._keys:
            self._keys[secret] = Key(f"key-{len(self._keys) + 1}")
        key = self._keys.get(secret)
        if key is not None:
            facts.key, facts.account = key.alias, key.account
        return key is not None and key.alias not in self._revoked

    def _refuse(
        self, facts: Facts, dialect: Dialect, refused: Refusal
    ) -> tuple[Iterator[Action], None]:
        return reading.error_steps(dialect, facts.flavour, refused), None

    def _behaviour(self, model: str) -> Behaviour:
        if model not in self._behaviours:
            usual = Plan(pace_s=self.config.pace_s)
            name = self.config.aliases.get(model, model)
            self._behaviours[model] = read_behaviour(name, FAULTS, usual)
        return self._behaviours[model]

    def _admit(self, visit: Visit) -> tuple[Iterator[Action], quotas.Hold | None]:
        """Do your limits allow it?"""
        facts, asked, now = visit.facts, visit.asked, self._clock.now()
        facts.input_tokens = input_tokens(asked.texts)
        planned = compose(asked, visit.behaviour.plan).usage.output_tokens
        cost = quotas.Cost(facts.input_tokens, asked.max_tokens or planned)
        hold = self._quotas.take(facts.key, facts.account, asked.model, cost, now)
        if isinstance(hold, quotas.Refused):
            facts.fault = f"limit {hold.quota.name}"
            return visit.refuse(telling.refusal(hold, asked, facts.account)), None
        told = telling.headers(hold.levels(now), asked, facts.account, self._clock.wall_ns())
        return self._answer(visit, (*telling.trace(asked, facts.number), *told)), hold

    def _answer(self, visit: Visit, headers: telling.Headers) -> Iterator[Action]:
        """How it goes: the healthy steps, with this attempt's faults applied in their order."""
        facts, asked = visit.facts, visit.asked
        counted = self._count(asked.model, facts.key)
        since = self._clock.now() - counted.since
        faults = [fault for fault in self._faults(visit) if fault.holds(counted.total, since)]
        facts.fault = "+".join(fault.text for fault in faults)
        plan = _plan(visit.behaviour.plan, faults)
        facts.cached_tokens = min(plan.cached_tokens, facts.input_tokens)
        facts.free = plan.told == "zero"
        if asked.prefix is not None and asked.way(plan) is OnPrefix.REFUSE:
            return visit.refuse(reading.refusal("prefill"))
        why = owed(asked, facts.body or {}) if plan.demands else ""
        if why:
            return visit.refuse(reading.refusal("history", why))
        case = self._case(visit, plan, headers, counted.by_key[facts.key])
        steps = healthy(case)
        for fault in faults:
            steps = fault.fault.steps(steps, case, fault.args) if fault.fault.steps else steps
        return steps

    def _faults(self, visit: Visit) -> tuple[Applied, ...]:
        scripted = self.script.next(visit.asked, visit.facts.key) or ""
        asked_for = visit.facts.incoming.headers.get(FAULT_HEADER, "")
        more = applied_all(f"{scripted}+{asked_for}", FAULTS)
        return (*visit.behaviour.applied, *more)

    def _case(self, visit: Visit, plan: Plan, headers: telling.Headers, key_number: int) -> Case:
        facts, asked = visit.facts, visit.asked
        price = functools.partial(self._price, facts)
        stamp = Stamp(facts.number, facts.received_wall_ns // 1_000_000_000, price)
        return Case(
            asked=asked,
            plan=plan,
            speech=compose(asked, plan),
            renderer=visit.dialect.renderer(asked, plan, stamp),
            headers=headers,
            key=facts.key,
            secret=reading.secret_in(facts.incoming, visit.dialect),
            key_number=key_number,
            wall_ns=facts.received_wall_ns,
            refuse=visit.refuse,
        )

    def _count(self, model: str, key: str) -> Counted:
        counted = self._counted.setdefault(model, Counted(self._clock.now()))
        counted.total += 1
        counted.by_key[key] = counted.by_key.get(key, 0) + 1
        return counted

    def _price(self, facts: Facts, usage: Usage) -> Cost:
        return charge(usage, self.config.prices, facts.model, facts.model.partition("+")[0])


def _plan(plan: Plan, faults: list[Applied]) -> Plan:
    for fault in faults:
        plan = fault.fault.plan(plan, fault.args) if fault.fault.plan else plan
    return plan
