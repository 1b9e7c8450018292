"""H10 to H21: errors inside a response that began with 200."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from headway import HeadwayError

from tests.faults.bed import Bed
from tests.faults.card import ANYTHING, SIXTY, Call, Check, Row, Seen, Side, ideal, required
from tests.faults.cuts import every_route, one_row_each
from tests.faults.published import BACKUP

# Words of the providers' errors, which no caller may read as text.
NEVER_SHOWN = ("never-show-this", "boom", "overloaded", "died", "stopped", "quota", "error")


def both_retried(seen: Seen) -> Iterator[Check]:
    """Both calls survived, in the middle of the stream and before its first token."""
    yield from retried(seen, seen.calls)


def retried(seen: Seen, calls: Sequence[Call]) -> Iterator[Check]:
    """Each of `calls` was saved by a second attempt."""
    yield from unseen(seen)
    for call in calls:
        tried = seen.of_call(call)
        yield required(f"{call.route}: another attempt followed", len(tried) == 2, len(tried))


def unseen(seen: Seen) -> Iterator[Check]:
    """Nothing of the error was shown, and every attempt is in the ledger."""
    texts = " ".join(call.said.answer + call.said.reasoning for call in seen.calls).lower()
    shown = [word for word in NEVER_SHOWN if word in texts]
    yield required("nothing of the error is shown as text", not shown, shown)
    yield one_row_each(seen)


def not_retried(seen: Seen) -> Iterator[Check]:
    """The account is out of money: it is asked once, and the fallback answers."""
    yield from unseen(seen)
    yield required("the account is asked once", len(seen.on(0)) == 1, len(seen.on(0)))
    yield from first_reason(seen, "SPEND_LIMIT")


def first_reason(seen: Seen, wanted: str) -> Iterator[Check]:
    result = seen.call.result
    told = result.attempts[0].reason if result else seen.call.ending
    yield required(f"classed as {wanted}", told == wanted, told)


def h11(seen: Seen) -> Iterator[Check]:
    *survived, saved = seen.calls
    yield from retried(seen, survived)
    yield from first_reason(seen, "PROVIDER_OVERLOADED")
    yield required("always: the fallback answers", [a.provider for a in saved.attempts[-1:]]
                   == [BACKUP.provider], saved.ending)  # fmt: skip
    about = "gen_ai.request.model"
    breakers = {point.about[about].partition("#")[2]: point.about["headway.breaker.state"]
                for point in seen.points.get("headway.breaker.state", ())
                if point.about["headway.provider"] == "anthropic"}  # fmt: skip
    wanted = {"late": "closed", "early": "closed", "always": "open"}
    found = {tag: state for tag, state in breakers.items() if tag in wanted}
    yield required("the metric: the breaker heard of it", found == wanted, breakers)
    keys = {point.about["headway.key.state"]
            for point in seen.points.get("headway.key.state", ())}  # fmt: skip
    yield required("the metric: and no key did", keys == {"ready"}, keys)


def h15(seen: Seen) -> Iterator[Check]:
    yield from retried(seen, seen.calls)
    for call in seen.calls:
        spans = seen.attempt_spans(f"#{call.route}")
        lost = [span.about.get("headway.provider.upstream") for span in spans if span.error]
        yield required(f"{call.route}: the upstream's name is in the span", lost == ["Up"], lost)


def h14(seen: Seen) -> Iterator[Check]:
    """400 inside: the request is refused, before the first token as in the middle."""
    yield from unseen(seen)
    for call in seen.calls:
        error = call.error
        yield required(f"{call.route}: a clean error", error is not None and error.from_daemon,
                       call.ending)  # fmt: skip
        yield ideal(f"{call.route}: the provider refused", call.ending == "PROVIDER_REFUSED",
                    call.ending)  # fmt: skip
        yield required(f"{call.route}: failed_generation is not told", not _leaks(error))


def _leaks(error: HeadwayError | None) -> bool:
    return error is not None and "never-show" in f"{error} {error.metadata}"


async def octets(bed: Bed) -> None:
    await bed.call("octet")
    await bed.call("html")


def h21(seen: Seen) -> Iterator[Check]:
    octet, html = seen.calls
    yield required("JSON is read whatever it calls itself", octet.ending == "CONTEXT_TOO_LONG",
                   octet.ending)  # fmt: skip
    yield required("a page is a failure of the attempt", len(seen.on(1)) == 0)
    yield ideal("and another answers", html.result is not None, html.ending)
    yield required("whole", html.said.answer == SIXTY.answer)


def inside(name: str, form: str, provider: str, fault: str, resume: str = "none") -> Row:
    """An error of `form` in the middle of a stream, and before its first token; once each."""
    early = Side(provider=provider, model=f"fake-60+ms-5+error-{form}-0@1", resume=resume)
    late = Side(provider=provider, model=f"fake-60+ms-5+error-{form}-20@1", resume=resume)
    return Row(id=name, fault=fault, sides=(late, early), story=every_route, judge=both_retried,
               routes={"late": (0,), "early": (1,)}, within_s=15)  # fmt: skip


def spent(name: str, form: str, fault: str) -> Row:
    model = f"fake-60+error-{form}-20"
    sides = (Side(provider="openai-responses", model=model), BACKUP)
    return Row(id=name, fault=fault, sides=sides, judge=not_retried)


IN_BAND = (
    spent("H10", "responses-nested", "Responses: error with nested fields, then failed"),
    spent("H10-flat", "responses-flat", "Responses: error with flat fields, then failed"),
    Row(id="H11", fault="Anthropic: overloaded_error, then close", judge=h11, story=every_route,
        sides=(*inside("", "anthropic", "anthropic", "").sides,
               Side(provider="anthropic", model="fake-60+ms-5+error-anthropic-0"), BACKUP),
        routes={"late": (0,), "early": (1,), "always": (2, 3)}, traced=True,
        sections={"breaker": {"consecutive": 2, "open": "60s", "open_max": "60s"}}),
    inside("H12", "google-bare", "gemini", "Gemini: bare JSON after the last event"),
    inside("H13", "google-data", "gemini", "Gemini: an event with an error"),
    Row(id="H14", fault="Groq: tool_use_failed with 400 inside", judge=h14, story=every_route,
        sides=inside("", "groq", "groq", "").sides, routes={"late": (0,), "early": (1,)},
        wants=ANYTHING),
    msgspec.structs.replace(
        inside("H15", "openrouter", "openrouter", "OpenRouter: error and finish reason error"),
        judge=h15, traced=True),
    inside("H16", "gpustack", "gpustack", "GPUStack: an SSE field called error"),
    inside("H17", "ollama", "ollama", "Ollama: a line with an error"),
    inside("H18", "vllm", "vllm", "vLLM: an error, then [DONE]"),
    inside("H19", "deepseek", "deepseek", "DeepSeek: insufficient_system_resource", "prefix"),
    inside("H20", "finish", "mistral", "Mistral: finish reason error"),
    Row(id="H21", fault="JSON that calls itself octets; a page of HTML with 200", judge=h21,
        story=octets, wants=ANYTHING,
        sides=(Side(provider="primary", model="fake-60+refuse-context+octet"),
               Side(provider="primary", model="fake-60+html"), BACKUP),
        routes={"octet": (0,), "html": (1, 2)}),
)  # fmt: skip
