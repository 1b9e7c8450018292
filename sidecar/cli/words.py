"""How figures and events read: money, times, counts, a line for an attempt, a line at the end."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from headway import (
    Attempt,
    AttemptSummary,
    Cause,
    Continuation,
    Cost,
    Discarded,
    FinishReason,
    Outcome,
    Result,
    Saved,
    Usage,
)
from headway.v1 import event_pb2

# What a finish means, where it is worth a word.
FINISHES = {
    FinishReason.LENGTH: "cut off by the maximum of tokens",
    FinishReason.LENGTH_IN_REASONING: "the maximum of tokens was used up before the answer began",
    FinishReason.CONTENT_FILTER: "cut off by the provider's content filter",
    FinishReason.REFUSAL: "the model declined",
    FinishReason.TOOL_CALLS: "the model asks for its tools",
}
# A wait shorter than this is nobody's business.
LEAST_WAIT_S = 0.05


def usd(nano_usd: int) -> str:
    """Nano-dollars exactly, with at least two places: 1_500_000_000 is 1.50 USD."""
    whole, _, places = f"{Decimal(nano_usd).scaleb(-9):f}".partition(".")
    return f"{int(whole):,}.{places.rstrip('0').ljust(2, '0')} USD"


def span(seconds: float) -> str:
    """A duration for people: 0.4 ms, 250 ms, 2.5 s, 5 min, 1 h 30 min, 90 d."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    parts, left = [], round(seconds)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2])


def count(number: int, noun: str) -> str:
    """`number` of a thing: 1 key, 2 keys, 1,200 tokens."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def attempt_line(attempt: Attempt) -> str:
    """Who answers now, why, and how it goes on."""
    parts = [
        f"attempt {attempt.number}: {attempt.provider}/{attempt.model}, key {attempt.key_alias}"
    ]
    if attempt.cause is not Cause.FIRST:
        after = f" after {attempt.reason}" if attempt.reason else ""
        parts.append(f"{attempt.cause}{after}")
    parts += [text for text in (_goes_on(attempt), _waited(attempt.waited_s)) if text]
    return ", ".join(parts)


def _goes_on(attempt: Attempt) -> str:
    if attempt.continuation is Continuation.RESUMED:
        return "goes on where the last one broke"
    if attempt.continuation is Continuation.RESTARTED:
        return f"begins anew, {void(attempt.discarded)}"
    return ""


def void(discarded: Discarded) -> str:
    """What a restart took back."""
    given = (
        ("reasoning", discarded.reasoning),
        ("answer", discarded.answer),
        ("refusal", discarded.refusal),
    )
    parts = [f"{len(text):,} characters of {kind}" for kind, text in given if text]
    parts += [count(discarded.tool_calls, "tool call")] if discarded.tool_calls else []
    return f"{' and '.join(parts)} above are void" if parts else "nothing above is void"


def _waited(seconds: float) -> str:
    return f"waited {span(seconds)}" if seconds >= LEAST_WAIT_S else ""


def tokens(usage: Usage) -> str:
    """Tokens in and out, reasoning and answer apart."""
    cached = f" ({usage.cached_input_tokens:,} cached)" if usage.cached_input_tokens else ""
    answer = usage.output_tokens - usage.reasoning_tokens
    about = "about " if usage.estimated else ""
    return (
        f"{about}{usage.input_tokens:,} tokens in{cached}, {usage.reasoning_tokens:,} of reasoning "
        f"and {answer:,} of answer out"
    )


def price(cost: Cost) -> str:
    """What it cost; a sum with parts that nobody has a price for is told as such."""
    if cost.unknown:
        known = f", at least {usd(cost.total_nano_usd)}" if cost.total_nano_usd else ""
        return f"cost unknown: no price for this model{known}"
    return usd(cost.total_nano_usd)


def summary(result: Result) -> list[str]:
    """The lines at the end of a stream."""
    lines = [f"{tokens(result.usage)}, {price(result.cost)}"]
    first = next(
        (s for s in (result.timings.first_reasoning_s, result.timings.first_answer_s) if s), None
    )
    times = [f"first token after {span(first)}"] if first is not None else []
    times += [f"{span(result.timings.total_s)} in all"] if result.timings.total_s else []
    times += ["from the cache"] if result.cached else []
    times += [FINISHES[result.finish_reason]] if result.finish_reason in FINISHES else []
    lines += [", ".join(times)] if times else []
    lines += [f"going on saved {saving(result.saved)}"] if result.saved is not None else []
    return lines + dropped(result.attempts) + lost(result.attempts)


def saving(saved: Saved | event_pb2.Saved) -> str:
    """What resuming and handing over spared. The money is what is left after the longer input."""
    amount = abs(saved.nano_usd)
    spared = f"and {usd(amount)}" if saved.nano_usd >= 0 else f"but cost {usd(amount)} more"
    return (
        f"{saved.reasoning_tokens:,} tokens of reasoning and {saved.answer_tokens:,} of answer, "
        f"{spared}"
    )


def dropped(attempts: Iterable[AttemptSummary]) -> list[str]:
    """A line for each attempt whose target was not sent all that was asked for."""
    return [
        f"attempt {a.number} on {a.provider}/{a.model} was not sent as asked: "
        f"{', '.join(a.dropped_options)}"
        for a in attempts
        if a.dropped_options
    ]


def lost(attempts: Iterable[AttemptSummary]) -> list[str]:
    """A line for each attempt that did not bring it to an end: they cost, too."""
    return [
        f"attempt {a.number} on {a.provider}/{a.model} {a.outcome}"
        f"{f' ({a.reason})' if a.reason else ''}: {price(a.cost)}, included"
        for a in attempts
        if a.outcome is not Outcome.COMPLETED
    ]
