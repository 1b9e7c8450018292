"""What the way of a request is built from; `app` fills it in once."""

from __future__ import annotations

import random
from typing import Protocol

import msgspec

from sidecar.core.clock import Clock
from sidecar.failover.abilities import Abilities
from sidecar.failover.experience import Experience
from sidecar.gateway.fleet import Fleet
from sidecar.gateway.holding import Holding
from sidecar.gateway.lease import Leases
from sidecar.gateway.recollections import Recollections
from sidecar.gateway.spending import Spending
from sidecar.gateway.teacher import Teacher
from sidecar.gateway.traffic import Traffic
from sidecar.keys.ring import KeyRing
from sidecar.ledger.entry import Entry
from sidecar.ledger.prices import Quote
from sidecar.limits.estimate import Estimator
from sidecar.limits.store import Store


class Ledger(Protocol):
    """Where entries go, synchronously and never failing a request. `hold` says what attempts'
    entries are should the daemon die during them."""

    def hold(self, *entries: Entry) -> None: ...

    def record(self, entry: Entry) -> None: ...


class Prices(Protocol):
    """Who knows what a model charges at a time."""

    def quote(
        self, provider: str, model: str, wall_ns: int, input_tokens: int = 0, served: str = ""
    ) -> Quote: ...


class Parts(msgspec.Struct, frozen=True):
    """The shared parts of all sessions."""

    clock: Clock
    store: Store
    ring: KeyRing
    ledger: Ledger
    prices: Prices
    estimator: Estimator
    abilities: Abilities
    experience: Experience
    leases: Leases
    holding: Holding
    teacher: Teacher
    traffic: Traffic
    fleet: Fleet
    spending: Spending
    recollections: Recollections
    rng: random.Random
