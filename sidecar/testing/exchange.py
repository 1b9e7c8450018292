"""One attempt as it runs: the steps still to come, and what became of the earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sidecar.core.money import FREE, Cost
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Action, Begin, Cut, Finish, Head, Send
from sidecar.testing.asked import Incoming
from sidecar.testing.journal import Ending, Entry
from sidecar.testing.quotas import Hold


class Facts(msgspec.Struct, kw_only=True):
    """What is known of an attempt before it runs; filled in as the request is read."""

    number: int
    received_s: float
    received_wall_ns: int
    incoming: Incoming
    dialect: str = ""
    flavour: str = ""
    model: str = ""
    key: str = ""
    account: str = ""
    stream: bool = False
    body: dict[str, Any] | None = None
    prefix: Prefix | None = None
    fault: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    free: bool = False


class Exchange:
    """Carries the steps of one attempt and keeps its account.

    Billed are, from `Begin` on: the whole input, and each token when its event is handed to the
    wire, the last event before a cut included. An attempt that never began is free, so a refused
    request costs nothing, nor does one that was reset or stayed silent before its headers. A
    stream begins with its headers; a whole answer begins when the request is accepted.
    """

    def __init__(
        self,
        facts: Facts,
        actions: Iterator[Action],
        *,
        began_at: float,
        price: Callable[[Usage], Cost],
        hold: Hold | None,
        over: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        self.facts = facts
        self.actions = actions
        self._began_at = began_at
        self._price = price
        self._hold = hold
        self._over = over
        self._moved = moved
        self._begun = False
        self._reasoning = 0
        self._answer = 0
        self._status = 0
        self._sent_bytes = 0
        self._blocked_s = 0.0
        self._head_at: float | None = None
        self._first_at: float | None = None
        self._last_at: float | None = None
        self._ended_at: float | None = None
        self._ending = Ending.RUNNING

    def did(self, action: Action, now: float) -> None:
        """`action` is being carried out now."""
        if isinstance(action, Send):
            self._sent(action, now)
        elif isinstance(action, Begin):
            self._begun = True
        elif isinstance(action, Head):
            self._status, self._head_at = action.status, now
        elif isinstance(action, Finish):
            self.end(Ending.REFUSED if self._status >= 300 else Ending.COMPLETE, now)
        elif isinstance(action, Cut):
            self.end(Ending.CUT, now)
        self._moved()

    @property
    def has_head(self) -> bool:
        """Did the response head go out?"""
        return self._head_at is not None

    def blocked(self, seconds: float) -> None:
        """The client did not read for so long."""
        self._blocked_s += seconds

    def end(self, ending: Ending, now: float) -> None:
        """The attempt is over. Only the first call counts: a cut is no hang-up of the client."""
        if self._ending is not Ending.RUNNING:
            return
        self._ending, self._ended_at = ending, now
        if self._hold is not None:
            self._hold.end(self._reasoning + self._answer, now)
        self._over()

    def _sent(self, send: Send, now: float) -> None:
        if send.tokens and self._first_at is None:
            self._first_at = now
        if send.data:
            self._last_at = now
        self._reasoning += send.reasoning
        self._answer += send.answer
        self._sent_bytes += len(send.data)

    def usage(self) -> Usage:
        """What is billed so far."""
        if not self._begun or self.facts.free:
            return Usage()
        return Usage(
            input_tokens=self.facts.input_tokens,
            cached_input_tokens=self.facts.cached_tokens,
            output_tokens=self._reasoning + self._answer,
            reasoning_tokens=self._reasoning,
        )

    def entry(self) -> Entry:
        """How the attempt stands now."""
        facts, usage = self.facts, self.usage()
        return Entry(
            number=facts.number,
            received_s=round(facts.received_s, 3),
            received_wall_ns=facts.received_wall_ns,
            dialect=facts.dialect,
            flavour=facts.flavour,
            path=facts.incoming.path,
            model=facts.model,
            key=facts.key,
            account=facts.account,
            stream=facts.stream,
            body_bytes=len(facts.incoming.body),
            body=facts.body,
            prefix=facts.prefix,
            fault=facts.fault,
            status=self._status,
            head_s=self._ms(self._head_at),
            first_token_s=self._ms(self._first_at),
            last_byte_s=self._ms(self._last_at),
            ended_s=self._ms(self._ended_at),
            ending=self._ending,
            sent_bytes=self._sent_bytes,
            blocked_s=round(self._blocked_s, 3),
            usage=usage,
            cost=self._price(usage) if usage.total_tokens else FREE,
        )

    def _ms(self, at: float | None) -> float | None:
        return None if at is None else round(at - self._began_at, 3)
