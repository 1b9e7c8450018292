"""A caller that knows the seam rule, and that comes back, if need be by way of another daemon."""

from __future__ import annotations

from dataclasses import dataclass, field

from headway import AsyncClient, HeadwayError
from headway.events import AnswerDelta, Attempt, Completed, ReasoningDelta

ROUTE, QUESTION = "default", "Go on."
# Nothing here takes longer, seconds; it ends a hang.
PATIENCE_S = 90.0


@dataclass(slots=True)
class Held:
    """What one caller holds: deltas by sequence, the last sequence, how it ended."""

    request_id: str
    deltas: list[tuple[int, str, bool]] = field(default_factory=list)
    sequence: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    completed: Completed | None = None
    comebacks: int = 0
    errors: list[str] = field(default_factory=list)

    def take(self, event: object, sequence: int) -> None:
        assert sequence == self.sequence + 1, f"a hole after {self.sequence}: {sequence}"
        self.sequence = sequence
        if isinstance(event, Attempt):
            self.attempts.append(event)
            last = event.discard_after_sequence
            self.deltas = [delta for delta in self.deltas if delta[0] <= last]
        elif isinstance(event, AnswerDelta | ReasoningDelta):
            self.deltas.append((sequence, event.text, isinstance(event, AnswerDelta)))
        elif isinstance(event, Completed):
            self.completed = event

    @property
    def reasoning(self) -> str:
        return "".join(text for _, text, answer in self.deltas if not answer)

    @property
    def answer(self) -> str:
        return "".join(text for _, text, answer in self.deltas if answer)


async def read(client: AsyncClient, held: Held) -> None:
    """Read on from where `held` stands. Raises HeadwayError."""
    stream = client.stream(
        ROUTE,
        QUESTION,
        timeout_s=PATIENCE_S,
        request_id=held.request_id,
        after_sequence=held.sequence,
        reattach=False,
    )
    async for event in stream:
        held.take(event, event.sequence)


async def read_somehow(first: AsyncClient, other: AsyncClient, held: Held) -> None:
    """Read through `first`; what breaks there goes on through `other`, as often as it must."""
    client = first
    while held.completed is None and held.comebacks < 20:
        try:
            await read(client, held)
        except HeadwayError as error:
            held.errors.append(f"{error.reason or error.code}: {error}")
            held.comebacks += 1
            client = other
