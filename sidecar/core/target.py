"""Targets: where a request may go, and what each may be asked to do."""

from __future__ import annotations

import enum

import msgspec


class Resume(enum.Enum):
    """What a target takes to continue a broken stream.

    NONE: nothing, start anew. PREFILL: the answer so far (no reasoning). PREFIX: the reasoning so
    far, and the answer so far.
    """

    NONE = "none"
    PREFILL = "prefill"
    PREFIX = "prefix"


class Phases(msgspec.Struct, frozen=True):
    """The clocks of one attempt, in seconds; each phase has its own. None: no limit.

    Keep-alive comments do not move them. `gap` clocks run between deltas of one phase, `turn_s`
    between the last reasoning and the first answer, `tail_s` from the finish reason to the end of
    the stream (usage may follow; a missing end is no failure then). Less than `min_tokens_per_s`
    over `rate_window_s` of speaking is too slow while another target is there (failure card, H22:
    5 tokens/s over 10 s); 0 switches that off.
    """

    connect_s: float = 5.0
    headers_s: float = 30.0
    first_s: float = 60.0
    reasoning_gap_s: float = 60.0
    turn_s: float = 60.0
    answer_gap_s: float = 20.0
    tail_s: float = 2.0
    total_s: float | None = None
    min_tokens_per_s: float = 5.0
    rate_window_s: float = 10.0


class PhaseTimeouts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one request wants of these clocks, in seconds; None leaves what is configured."""

    connect_s: float | None = None
    headers_s: float | None = None
    first_s: float | None = None
    reasoning_gap_s: float | None = None
    turn_s: float | None = None
    answer_gap_s: float | None = None
    total_s: float | None = None
    min_tokens_per_s: float | None = None

    def over(self, phases: Phases) -> Phases:
        """`phases` with what is wanted here in their place."""
        wanted = {name: value for name, value in msgspec.structs.asdict(self).items()
                  if value is not None}  # fmt: skip
        return msgspec.structs.replace(phases, **wanted) if wanted else phases


class Target(msgspec.Struct, frozen=True):
    """A provider's model, and what is known of it. `name` is what callers and status call it."""

    provider: str
    model: str
    resume: Resume = Resume.NONE
    reasoning: bool = False
    images: bool = True
    tools: bool = True
    context_tokens: int | None = None
    phases: Phases = Phases()

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


class Hedge(msgspec.Struct, frozen=True):
    """A second attempt where the first token is late: after so many seconds, None for the target's
    learned 95th percentile; at most for that `share` of a route's requests, 0 to 1."""

    after_s: float | None = None
    share: float = 0.05


class Route(msgspec.Struct, frozen=True):
    """A name that a caller may ask for, and the targets behind it, best first.

    `retries` is how often one target may be asked again within a request. `patience_s` is how much
    longer than for a worse target a request waits for a better one.
    """

    name: str
    targets: tuple[Target, ...]
    on_interruption: str = "resume"
    handoff: bool = False
    retries: int = 2
    patience_s: float = 0.25
    hedge: Hedge | None = None
