"""H01 to H09: streams that are cut, and what is made of what they had said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from headway import Attempt, Continuation

from sidecar.testing import written
from sidecar.testing.texts import pieces
from tests.faults.bed import Bed
from tests.faults.bounds import nearly_all
from tests.faults.card import (
    ANYTHING,
    SIXTY,
    Call,
    Check,
    Row,
    Seen,
    Side,
    ideal,
    required,
)

THOUGHT = written(0, 20, 20)
ODD = written(0, 8, 16, "unicode")
TOOLS = [{"name": "get_departures", "description": "", "parameters": {"type": "object"}}]
CUT = Side(provider="primary", model="fake-60+cut-40")
DIALECTS = ("primary", "openai-responses", "anthropic", "gemini", "ollama", "gpustack")
# H02: the promise is from the cut to the next token, beside what the next provider takes for it.
RECOVERY_S, RECOVERIES = 0.050, 120
# What stands when the first attempt of these rows is cut.
KEPT = "".join(pieces(SIXTY.answer)[:40])
# H08: how many offsets, and how many at a time.
OFFSETS, AT_ONCE = 120, 4
# H08: whose stream in which form, from which byte on, in which steps.
BYTES = (
    ("deepseek", "frame-padded", 2600, 1),
    ("deepseek", "frame-crlf", 2600, 3),
    ("primary", "think", 900, 7),
    ("vllm", "think", 900, 7),
)
PATIENT = {"breaker": {"consecutive": 100_000, "at_least": 100_000}}


def ways(call: Call) -> list[Continuation]:
    return [attempt.continuation for attempt in call.attempts]


def resumed(call: Call) -> Iterator[Check]:
    """The second attempt went on where the first broke, and took nothing back."""
    wanted = [Continuation.FRESH, Continuation.RESUMED]
    yield required(f"{call.route} is RESUMED", ways(call) == wanted, ways(call))
    kept = all(not attempt.discarded for attempt in call.attempts)
    yield required(f"{call.route} discards nothing", kept)


def restarted(call: Call) -> Iterator[Check]:
    """The last attempt began anew, and said so."""
    last = call.attempts[-1] if call.attempts else None
    anew = last is not None and last.continuation is Continuation.RESTARTED
    yield required(f"{call.route} is RESTARTED", anew, ways(call))
    from_zero = last is not None and last.discard_after_sequence == 0
    yield required(f"{call.route} discards from 0", from_zero)


def one_row_each(seen: Seen) -> Check:
    found = (len(seen.ledger), len(seen.log))
    return required("one ledger entry for each attempt", found[0] == found[1], found)


async def both_routes(bed: Bed) -> None:
    await bed.call()
    await bed.call("other")


def h01(seen: Seen) -> Iterator[Check]:
    by_prefix, anew = seen.calls
    yield from resumed(by_prefix)
    prefix = seen.on(0)[1].prefix
    held = prefix is not None and not prefix.answer and len(prefix.reasoning) > 8
    starts = held and prefix is not None and THOUGHT.reasoning.startswith(prefix.reasoning)
    yield required("the prefix is the reasoning so far", starts, prefix)
    yield from restarted(anew)
    yield one_row_each(seen)


async def recoveries(bed: Bed) -> None:
    """The same cut again and again; then each way of asking for a continuation."""
    await bed.call()
    for _ in range(RECOVERIES):
        await bed.call("fast", max_tokens=200)
    for route in ("mistral", "vllm", "anthropic"):
        await bed.call(route)


def first_after(call: Call) -> float:
    """When the first delta of the last attempt came."""
    place = max(i for i, (_, event) in enumerate(call.stamps) if isinstance(event, Attempt))
    return call.stamps[min(place + 1, len(call.stamps) - 1)][0]


def h02(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        yield from resumed(call)
    spans = [recovery_s(seen, call) for call in seen.calls if call.route == "fast"]
    yield nearly_all("next token within 50 ms of the cut, p99", RECOVERY_S, spans)
    went_on = [entry for entry in seen.log if entry.prefix is not None]
    yield required("each went on once", len(went_on) == len(seen.calls), len(went_on))
    kept = {entry.prefix.answer for entry in went_on if entry.prefix is not None}
    yield required("from the text so far, to the word", kept == {KEPT}, kept)
    bodies = [entry.body for entry in went_on if "#fast" in entry.model]
    asked = {body["max_tokens"] for body in bodies if body}
    yield required("max_tokens is lowered by what came", asked == {160}, asked)


def recovery_s(seen: Seen, call: Call) -> tuple[float, float]:
    """From the cut to the caller's next token, less what the next provider took for its first; and
    how much of it the machine took."""
    lost, healed = seen.of_call(call)
    assert lost.ended_s is not None
    assert healed.first_token_s is not None
    cut, token = seen.zero + lost.ended_s, first_after(call)
    own_s = healed.first_token_s - healed.received_s
    return token - cut - own_s, seen.starved_s(cut, token)


async def forbidden_too(bed: Bed) -> None:
    await bed.call()
    await bed.call("other", on_interruption="fail")


def h03(seen: Seen) -> Iterator[Check]:
    saved, broken = seen.calls
    yield from restarted(saved)
    yield ideal("the whole answer", saved.result is not None, saved.ending)
    yield required("it is exact", saved.said.answer == SIXTY.answer)
    yield required("no prefill is sent", all(entry.prefix is None for entry in seen.log))
    yield from broken_off(broken)


def broken_off(call: Call) -> Iterator[Check]:
    """STREAM_BROKEN, and what was delivered is told."""
    error = call.error
    yield required("the error is STREAM_BROKEN", call.ending == "STREAM_BROKEN", call.ending)
    told = error.metadata.get("delivered_answer_chars") if error is not None else None
    had = str(len(call.said.answer))
    yield required("it says what was delivered", told == had, f"{told}, had {had}")


async def tools(bed: Bed) -> None:
    await bed.call(tools=TOOLS)
    await bed.call("other", tools=TOOLS, on_interruption="fail")


def h04(seen: Seen) -> Iterator[Check]:
    saved, broken = seen.calls
    yield from restarted(saved)
    parsed = [call.parsed()["platform"] for call in saved.said.tool_calls]
    yield required("both calls parse", parsed == [1, 2], parsed)
    yield required("no continuation of a call", all(entry.prefix is None for entry in seen.log))
    yield required("or it is an error", broken.ending == "STREAM_BROKEN", broken.ending)


async def every_route(bed: Bed) -> None:
    """Each of the row's routes once."""
    for route in bed.row.routes:
        await bed.call(route)


def h05(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        tried = len(seen.of_call(call))
        wanted = 1 if call.route == "finished" else 2
        yield required(f"{call.route}: {wanted} attempts", tried == wanted, tried)


def h06(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        yield required(f"{call.route}: nothing of the first", ways(call) == [Continuation.FRESH],
                       ways(call))  # fmt: skip
        number = call.attempts[0].number if call.attempts else 0
        yield required(f"{call.route}: the second answers", number == 2, number)


def h07(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        # A text in other words is none that goes on: as in H03, the caller gets a whole one.
        yield from (restarted if "departs" in call.route else resumed)(call)
    offered = [entry for entry in seen.log if entry.prefix is not None]
    yield required("the prefix was sent once", len(offered) == len(seen.calls), len(offered))


async def every_offset(bed: Bed) -> None:
    """A model for each place to cut at, so that each is cut once; directly, without a route."""
    names = [
        f"{provider}/fake-reasoner-8-16+ms-0+style-unicode+{more}+cut-byte-{offset}@1"
        for provider, more, first, step in BYTES
        for offset in range(first, first + OFFSETS * step, step)
    ]
    places = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with places:
            await bed.call(name)

    await asyncio.gather(*map(one, names))


def h08(seen: Seen) -> Iterator[Check]:
    marred = [c.route for c in seen.calls if "\ufffd" in c.said.answer + c.said.reasoning]
    yield required("no replacement character", not marred, marred[:3])
    tagged = [c.route for c in seen.calls if "think>" in c.said.answer + c.said.reasoning]
    yield required("no tag in the text", not tagged, tagged[:3])
    cut = sum(1 for call in seen.calls if len(seen.named(call.route.split("/", 1)[1])) > 1)
    yield required("every one was cut", cut == len(seen.calls), f"{cut} of {len(seen.calls)}")


def h09(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        attempts = call.result.attempts if call.result else ()
        yield required(f"{call.route}: one attempt", len(attempts) == 1, len(attempts))
        noted = [attempt.reason for attempt in attempts]
        yield required(f"{call.route}: the error is noted", all(noted), noted)
        spans = seen.attempt_spans(f"#{call.route}")
        told = [(s.about.get("headway.attempt.reason"), s.about["headway.attempt.outcome"], s.error)
                for s in spans]  # fmt: skip
        wanted = [(reason, "completed", False) for reason in noted]
        yield required(f"{call.route}: and recorded in its span", told == wanted, told)
    thrown = [span.name for span in seen.spans if span.error]
    yield required("no span is an error", not thrown, thrown)


def eof_sides() -> tuple[Side, ...]:
    cut = tuple(Side(provider=name, model="fake-60+ms-2+eof-40@1") for name in DIALECTS)
    return (*cut, Side(provider="primary", model="fake-60+ms-2+no-done"))


def prefix_of(provider: str, resume: str, model: str = "fake-60+ms-2") -> Side:
    return Side(provider=provider, model=model, resume=resume)


CUTS = (
    Row(id="H01", fault="cut inside reasoning", story=both_routes, judge=h01, text=THOUGHT,
        sides=(Side(provider="deepseek", model="fake-reasoner-20-20+cut-reasoning-10@1",
                    resume="prefix", reasoning=True),
               Side(provider="primary", model="fake-reasoner-20-20+cut-reasoning-10",
                    reasoning=True),
               Side(provider="backup", model="fake-reasoner-20-20", reasoning=True)),
        routes={"default": (0,), "other": (1, 2)}),
    Row(id="H02", fault="cut in the answer, the fallback continues a prefix", judge=h02,
        sides=(CUT, prefix_of("deepseek", "prefix", "fake-60"),
               Side(provider="primary", model="fake-60+ms-1+cut-40"),
               prefix_of("deepseek", "prefix", "fake-60+ms-1"), prefix_of("mistral", "prefill"),
               prefix_of("vllm", "prefill"), prefix_of("anthropic", "prefill")),
        routes={"default": (0, 1), "fast": (2, 3), "mistral": (2, 4), "vllm": (2, 5),
                "anthropic": (2, 6)},
        story=recoveries, route={"retries": 0}, sections=PATIENT, lasts_s=20, alone=True),
    Row(id="H03", fault="cut in the answer, the fallback cannot continue", judge=h03,
        sides=(CUT, Side(provider="openai", model="fake-60")), route={"retries": 0},
        routes={"other": (0, 1)}, story=forbidden_too, wants=ANYTHING),
    Row(id="H04", fault="cut inside the arguments of a tool call", judge=h04, story=tools,
        sides=(Side(provider="deepseek", model="fake-tools-10-2+cut-tool-20@1", resume="prefix",
                    reasoning=True),),
        routes={"other": (0,)}, wants=ANYTHING),
    Row(id="H05", fault="end of the body without a finish reason, six dialects", judge=h05,
        sides=eof_sides(), story=every_route, lasts_s=6,
        routes={**{name: (place,) for place, name in enumerate(DIALECTS)}, "finished": (6,)}),
    Row(id="H06", fault="the second event is an error", judge=h06, story=every_route, lasts_s=5,
        sides=(Side(provider="primary", model="fake-60+error-openai-0@1"),
               Side(provider="anthropic", model="fake-60+error-anthropic-0@1"),
               Side(provider="gemini", model="fake-60+error-google-data-0@1")),
        routes={"chat": (0,), "anthropic": (1,), "gemini": (2,)}),
    Row(id="H07", fault="the fallback repeats what it was to continue", judge=h07,
        sides=(CUT, prefix_of("deepseek", "prefix", "fake-60+prefix-echo"),
               prefix_of("vllm", "prefill", "fake-60+prefix-restart"),
               prefix_of("mistral", "prefill", "fake-60+prefix-depart"),
               Side(provider="primary", model="fake-60+cut-38")),
        routes={"echoes": (0, 1), "restarts": (0, 2), "departs": (0, 3),
                "departs-in-mid-sentence": (4, 3)}, story=every_route,
        route={"retries": 0}),
    Row(id="H08", fault="cut at every byte of characters, line ends and tags", judge=h08,
        sides=(Side(provider="deepseek", model="fake-60", resume="prefix", reasoning=True),
               Side(provider="primary", model="fake-60", reasoning=True),
               Side(provider="vllm", model="fake-60", resume="prefill", reasoning=True)),
        story=every_offset, text=ODD, lasts_s=14, within_s=60, sections=PATIENT),
    Row(id="H09", fault="an error after the finish reason", judge=h09, story=every_route,
        traced=True,
        sides=(Side(provider="openrouter", model="fake-60+lateerror-openrouter"),
               Side(provider="gemini", model="fake-60+lateerror-google-bare")),
        routes={"openrouter": (0,), "gemini": (1,)}),
)  # fmt: skip
