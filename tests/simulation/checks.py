"""What must be true of every world when it is over."""

from __future__ import annotations

import hashlib
from collections import Counter

from sidecar.core.events import (
    AttemptBegan,
    AttemptCause,
    AttemptSummary,
    Completed,
    Continuation,
    FinishReason,
    Reasoning,
)
from sidecar.core.events import Outcome as AttemptOutcome
from sidecar.core.failure import CODES, Reason
from sidecar.core.money import TOKENS_PER_PRICE, Cost
from sidecar.core.request import OnInterruption
from sidecar.core.transcript import Transcript
from sidecar.failover.handoff import FRAME_BYTES, WORDS
from sidecar.failover.session import HANDOFF
from sidecar.gateway.journal import FOLLOW_EVERY_S
from sidecar.gateway.scribe import WRITE_EVERY_S
from sidecar.limits.bucket import Dimension
from sidecar.limits.estimate import BYTES_PER_TOKEN
from sidecar.testing import written
from sidecar.testing.journal import Entry as Billed
from sidecar.testing.texts import input_tokens, rest_after
from tests.simulation.places import MOST_HEDGED, PRICES, ROUTES, SECRET, charged, keys_of
from tests.simulation.weather import Spell
from tests.simulation.world import Outcome, World, held

# True texts by model; what the fake provider would have said without any fault.
MODELS = {
    "fake-reasoner-12-16": (12, 16),
    "fake-reasoner-9-20": (9, 20),
    "fake-60": (0, 60),
}
# What a caller reads by way of another pod reaches it this much later at most.
ALONG_S = WRITE_EVERY_S + FOLLOW_EVERY_S
# Whoever waits for a slot waits a millisecond longer, which is what real timers count in; that one
# may lie behind the deadline.
TIMER_S = 0.001 + 1e-6


def judge(world: World, *, countable: bool = True) -> dict[str, int]:
    """Assert everything; return figures worth telling.

    `countable` False: some provider said things that nobody could count, the bill is not compared.
    """
    assert len(world.outcomes) == len(world.wishes)
    for outcome in world.outcomes:
        _one(outcome)
    _settled(world)
    _tried(world)
    _hedged(world)
    if countable:
        _billed(world)
    return _figures(world)


def _one(outcome: Outcome) -> None:
    events, error = outcome.events, outcome.error
    where = f"caller {outcome.wish.number}"
    if events:
        assert isinstance(events[0], AttemptBegan), where
    completed = [event for event in events if isinstance(event, Completed)]
    assert len(completed) <= 1, where
    if completed:
        assert events[-1] is completed[0], where
        assert error is None, where
        _exact(outcome, completed[0], where)
    else:
        assert error is not None or outcome.hung_up, where
    late_s = outcome.ended_s - outcome.deadline_s - outcome.wish.reattaches * ALONG_S
    assert late_s <= TIMER_S or outcome.hung_up, where
    if error is not None:
        _legal(outcome, where)


def _exact(outcome: Outcome, completed: Completed, where: str) -> None:
    """The text is one attempt's, or an exact continuation: what the model says behind a prefix."""
    transcript, _ = held(outcome.events)
    reasoning, answer = _told(outcome)
    assert completed.finish_reason is FinishReason.STOP, where
    assert transcript.answer == answer, (where, transcript.answer, answer)
    if outcome.wish.completion.reasoning.deliver:
        assert transcript.reasoning == reasoning, (where, transcript.reasoning, reasoning)
    else:
        assert not transcript.reasoning, where
    assert [a.number for a in completed.attempts] == list(range(1, len(completed.attempts) + 1))
    attempts = list(completed.attempts)
    # A second attempt beside the first has the later number, also where the first one won: whether
    # it was cancelled or had failed by itself.
    while attempts[-1].cause is AttemptCause.HEDGE and len(attempts) > 1 and _lost(attempts[-1]):
        attempts.pop()
    outcomes = [attempt.outcome for attempt in attempts]
    assert outcomes[-1] is AttemptOutcome.COMPLETED, where
    assert outcomes.count(AttemptOutcome.COMPLETED) == 1, where


def _lost(attempt: AttemptSummary) -> bool:
    return attempt.outcome in (AttemptOutcome.CANCELLED_HEDGE, AttemptOutcome.FAILED)


def _told(outcome: Outcome) -> tuple[str, str]:
    """What a caller has to hold, followed attempt by attempt."""
    so_far = Transcript()
    reasoning = answer = ""
    for event in outcome.events:
        if isinstance(event, AttemptBegan):
            thoughts, words = _truth(event.model)
            if event.reason.endswith(HANDOFF):
                # The reasoning stays, whoever answers thinks for itself, and the answer is new.
                reasoning, answer = so_far.reasoning + thoughts, words
                so_far = _thoughts_of(so_far)
                continue
            if event.continuation is Continuation.RESTARTED:
                so_far.clear()
            kept = so_far.reasoning, so_far.answer
            reasoning = kept[0] if kept[1] else kept[0] + rest_after(thoughts, kept[0])
            answer = kept[1] + rest_after(words, kept[1])
        elif not isinstance(event, Completed):
            so_far.add(event)
            assert answer.startswith(so_far.answer), outcome.wish.number
    return reasoning, answer


def _thoughts_of(transcript: Transcript) -> Transcript:
    kept = Transcript()
    kept.add(Reasoning(transcript.reasoning))
    return kept


def _truth(model: str) -> tuple[str, str]:
    thoughts, words = MODELS[model.partition("#")[0]]
    text = written(0, thoughts, words)
    return text.reasoning, text.answer


def _legal(outcome: Outcome, where: str) -> None:
    error = outcome.error
    assert error is not None
    code = CODES[error.reason]
    shown = str(error) + repr(error.metadata) + repr(error.violations)
    assert SECRET not in shown, where
    delivered = bool(outcome.events)
    if error.reason is Reason.STREAM_BROKEN:
        assert delivered, where
    if error.reason is Reason.ATTEMPTS_EXHAUSTED:
        assert not delivered, where
        assert error.retry_after_s is not None, where
    if error.reason is Reason.DEADLINE_TOO_SHORT:
        assert code == "RESOURCE_EXHAUSTED", where
        assert error.retry_after_s is not None, where
        assert error.violations, where
    assert error.reason is not Reason.INTERNAL, where


def _settled(world: World) -> None:
    """Nothing is in the air any more, anywhere."""
    for state in world.store.snapshot():
        if state.bucket.dimension is Dimension.CONCURRENCY:
            assert state.free_now == state.limit_now, state
    for pod in world.pods:
        assert pod.admission.active == 0
        assert not +pod.parts.traffic.targets
        assert not len(pod.journals)
    assert not world.books.held
    assert not world.left, world.left
    keys = Counter(entry.key for entry in world.books.entries)
    assert all(count == 1 for count in keys.values()), keys.most_common(3)


def _tried(world: World) -> None:
    """Nobody waits for a minute in a queue while a target of its route is there."""
    asked = {entry.request_id for entry in world.books.entries}
    for outcome in servable(world):
        if outcome.error is not None and outcome.error.reason is Reason.DEADLINE_EXCEEDED:
            assert outcome.request_id in asked, f"caller {outcome.wish.number}"


def _hedged(world: World) -> None:
    """No more second attempts than the route's share allows, each pod counting its own requests."""
    hedges = [e for e in world.books.entries if e.cause is AttemptCause.HEDGE]
    asked = sum(outcome.wish.completion.model == "hedged" for outcome in world.outcomes)
    assert {entry.route for entry in hedges} <= {"hedged"}
    assert len(hedges) <= MOST_HEDGED * asked + len(world.pods), (len(hedges), asked)


def _billed(world: World) -> None:
    """To the nano-dollar: what the ledger says is what the providers charged."""
    for name, provider in world.providers.items():
        ledger = Cost()
        for entry in world.books.entries:
            if entry.provider == name:
                ledger += entry.cost
        assert not ledger.unknown
        bill = Cost()
        for sold in provider.log:
            bill += charged(name, sold.usage, sold.received_wall_ns)
        off = abs(ledger.input_nano_usd - bill.input_nano_usd)
        output = ledger.reasoning_nano_usd, ledger.answer_nano_usd
        right = output == (bill.reasoning_nano_usd, bill.answer_nano_usd)
        right = right and off <= _guessed(world, name)
        assert right, (name, ledger, bill, _differences(world, name))


def _guessed(world: World, provider: str) -> int:
    """By how much the input may be off, nano-USD: 0, but for attempts that were handed reasoning
    and whose provider told no usage. The words around the notes are no text of these worlds, of
    which the estimate knows four bytes to be a token."""
    guesses = [
        entry
        for entry in world.books.entries
        if entry.provider == provider
        and entry.route == "handing"
        and entry.attempt > 1
        and entry.usage.estimated
    ]
    off = abs(FRAME_BYTES // BYTES_PER_TOKEN - input_tokens([WORDS.format(notes="")])) + 2
    return len(guesses) * int(off) * PRICES[provider].input // TOKENS_PER_PRICE


def _differences(world: World, name: str) -> list[str]:
    """Which attempts differ, by (key, time): for whoever has to find out why."""
    entries = (entry for entry in world.books.entries if entry.provider == name)
    ours = [
        (e.started_ns, e.key_alias, e.usage, e.reason, e.outcome.value, e.request_id)
        for e in sorted(entries, key=lambda entry: entry.started_ns)
    ]
    theirs: dict[tuple[int, str], list[Billed]] = {}
    for entry in world.providers[name].log:
        theirs.setdefault((entry.received_wall_ns // 1_000_000, entry.key), []).append(entry)
    out = []
    for started_ns, alias, usage, reason, ended, request_id in ours:
        for entry in theirs.get((started_ns // 1_000_000, alias), []):
            billed = entry.usage
            same = (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (
                billed.input_tokens, billed.output_tokens, billed.reasoning_tokens
            )  # fmt: skip
            if not same:
                out.append(f"{request_id} {ended} {reason} {entry.fault}: {usage} / {billed}")
    return out[:8]


def servable(world: World) -> list[Outcome]:
    """Callers that a perfect daemon would serve: a minute or more of time, no rescue forbidden, and
    a target of their route that no spell touched while they were there."""
    return [
        outcome
        for outcome in world.outcomes
        if outcome.wish.timeout_s >= 60
        and not outcome.hung_up
        and outcome.wish.completion.on_interruption is not OnInterruption.FAIL
        and _alive(world.setting.spells, outcome)
    ]


def _alive(spells: tuple[Spell, ...], outcome: Outcome) -> bool:
    span = outcome.began_s, outcome.ended_s
    for provider in ROUTES[outcome.wish.completion.model]:
        touching = [spell for spell in spells if spell.covers(provider, *span)]
        revoked = {spell.key for spell in touching if spell.kind == "revoked"}
        whole = all(spell.kind == "revoked" for spell in touching)
        if whole and revoked != set(keys_of(provider)):
            return True
    return False


def _figures(world: World) -> dict[str, int]:
    done = [o for o in world.outcomes if o.error is None and not o.hung_up]
    failed = Counter(o.error.reason.value for o in world.outcomes if o.error is not None)
    resumed = sum(1 for entry in world.books.entries if entry.continuation.value == "resumed")
    could = servable(world)
    return {
        "requests": len(world.outcomes),
        "completed": len(done),
        "servable": len(could),
        "served": sum(outcome.error is None for outcome in could),
        "hung up": sum(o.hung_up for o in world.outcomes),
        "attempts": len(world.books.entries),
        "resumed": resumed,
        "hedged": sum(entry.cause is AttemptCause.HEDGE for entry in world.books.entries),
        "handed over": sum(
            entry.saved.reasoning_tokens > 0
            for entry in world.books.entries
            if entry.route == "handing"
        ),
        **{f"failed {reason}": count for reason, count in sorted(failed.items())},
    }


def trace(world: World) -> str:
    """A fingerprint of everything that happened, for telling whether two runs were the same."""
    digest = hashlib.blake2b(digest_size=16)
    for outcome in sorted(world.outcomes, key=lambda o: o.wish.number):
        digest.update(repr((outcome.events, str(outcome.error), outcome.ended_s)).encode())
    for entry in world.books.entries:
        digest.update(repr(entry).encode())
    return digest.hexdigest()
