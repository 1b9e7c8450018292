"""What the trailers of a call say: for access logs of proxies, which see no message.

Few, short, and the same for success and failure; `docs/api.md` lists them.
"""

from __future__ import annotations

from urllib.parse import quote

from sidecar.core.events import Completed
from sidecar.core.failure import RequestFailed
from sidecar.telemetry import RequestTrace

PROVIDER = "headway-provider"
MODEL = "headway-model"
ATTEMPTS = "headway-attempts"
COST = "headway-cost-nano-usd"
CACHED = "headway-cached"
REASON = "headway-reason"

Trailer = tuple[str, str]
# Metadata are printable ASCII; models may be called anything. What else a name may hold as it is:
PLAIN = "/:@.,+-_~!*()[]{} "


def of_success(completed: Completed) -> tuple[Trailer, ...]:
    """Whose answer it is, how many attempts were made, and what they cost together."""
    counted = (
        (ATTEMPTS, str(len(completed.attempts))),
        (COST, str(completed.cost.total_nano_usd)),
        *(((CACHED, "true"),) if completed.cached else ()),
    )
    if not completed.attempts:
        return counted
    last = completed.attempts[-1]
    return ((PROVIDER, _plain(last.provider)), (MODEL, _plain(last.model)), *counted)


def of_failure(error: RequestFailed, trace: RequestTrace | None) -> tuple[Trailer, ...]:
    """Why, and what was tried. `trace` None: the call joined a stream that another one began."""
    tried = error.metadata.get("targets", "").split(",")
    provider, _, model = tried[-1].partition("/")
    named = ((PROVIDER, _plain(provider)), (MODEL, _plain(model))) if provider else ()
    known = trace is not None and trace.status_code != ""
    cost = ((COST, str(trace.cost.total_nano_usd)),) if trace is not None and known else ()
    return (
        (REASON, error.reason.value),
        *named,
        (ATTEMPTS, error.metadata.get("attempts", "0")),
        *cost,
    )


def _plain(text: str) -> str:
    return quote(text, safe=PLAIN)
