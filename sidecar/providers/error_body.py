"""What an error body says, whichever of a dozen shapes it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sidecar.providers import loose, waits

_NUMBERS = (
    # DeepSeek, shrinking with the balance; kept as the daemon's limits room reads them.
    ("in_flight", re.compile(r"current concurrency is (\d{1,12})", re.IGNORECASE)),
    ("concurrency", re.compile(r"concurrency limit (?:of|is|:) ?(\d{1,12})", re.IGNORECASE)),
    # OpenAI's and Groq's wording.
    ("limit", re.compile(r"\blimit:? (\d{1,12})", re.IGNORECASE)),
    ("used", re.compile(r"\bused:? (\d{1,12})", re.IGNORECASE)),
    ("requested", re.compile(r"\brequested:? (\d{1,12})", re.IGNORECASE)),
)


_WORDS = ("code", "type", "status", "reason", "error_code", "error_type", "limit_source")


class ErrorFacts(msgspec.Struct, frozen=True):
    """`codes` are all machine words found (code, type, status, reasons), lower case, best first.

    `status` is the one inside the body, 0 if there is none. `readable` says that the body was an
    error document at all and not, say, a proxy's page. `headers` are those that the body quotes.
    """

    message: str = ""
    codes: tuple[str, ...] = ()
    status: int = 0
    retry_after_s: float | None = None
    limit: tuple[tuple[str, int], ...] = ()
    upstream: str = ""
    readable: bool = True
    headers: tuple[tuple[str, str], ...] = ()


def facts_of_body(body: bytes) -> ErrorFacts:
    """The facts of a whole response body."""
    body = body.strip()
    try:
        return facts_of(loose.document(body))
    except ValueError:
        pass
    text = body[:4000].decode("utf-8", "replace")
    if text[:1] == "<":
        text = "an HTML page instead of an answer"
    return _facts(text, [], 0, None, "", readable=False)


def facts_of(document: Any) -> ErrorFacts:
    """The facts of a parsed error: an object, or what stands under its `error`, or a string."""
    if isinstance(document, list) and document:
        document = document[0]
    outer = loose.record(document)
    error = outer.get("error", outer.get("errors", document))
    if isinstance(error, list) and error:
        error = error[0]
    inner = loose.record(error)
    message = _message(error) or _message(outer)
    metadata = loose.record(inner.get("metadata"))
    codes = [*_codes(inner), *_codes(metadata), *_codes(outer)]
    details = list(_details(inner.get("details")))
    codes = [*_detail_codes(details), *_codes(loose.record(inner.get("details"))), *codes]
    wait = waits.largest(_detail_wait(details), waits.worded_s(message))
    raw = loose.text(metadata.get("raw"))
    if raw:
        said, words = _raw(raw)
        message = f"{message}: {said}"
        codes += words
    status = _status(inner) or _status(outer)
    upstream = loose.text(metadata.get("provider_name"))
    readable = bool(message or codes)
    facts = _facts(message, codes, status, wait, upstream, readable)
    quoted = loose.record(metadata.get("headers")).items()
    headers = tuple((name.lower(), value) for name, value in quoted if isinstance(value, str))
    return msgspec.structs.replace(facts, headers=headers) if headers else facts


def _facts(
    message: str,
    codes: list[str],
    status: int,
    wait: float | None,
    upstream: str,
    readable: bool,
) -> ErrorFacts:
    limit = []
    for name, pattern in _NUMBERS:
        found = pattern.search(message[:2000])
        if found is not None:
            limit.append((name, int(found.group(1))))
    unique = tuple(dict.fromkeys(code.lower()[:80] for code in codes))
    return ErrorFacts(message, unique, status, wait, tuple(limit), upstream, readable)


def _message(error: Any, depth: int = 3) -> str:
    if isinstance(error, str):
        return error
    for name in ("message", "error", "detail", "msg", "error_description", "reason"):
        value = loose.record(error).get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, dict | list) and value:
            nested = value[0] if isinstance(value, list) else value
            found = _message(nested, depth - 1) if depth else ""
            if found:
                return found
    return ""


def _raw(raw: str) -> tuple[str, list[str]]:
    """OpenRouter's copy of the upstream's body: its message and machine words if it is JSON, else
    the text."""
    try:
        document = loose.document(raw.encode("utf-8", "replace"))
    except ValueError:
        return raw, []
    outer = loose.record(document)
    words = [*_codes(loose.record(outer.get("error"))), *_codes(outer)]
    return _message(outer.get("error")) or _message(outer) or raw, words


def _codes(error: dict[str, Any]) -> Iterator[str]:
    for name in _WORDS:
        value = error.get(name)
        if isinstance(value, str) and value and value != "error" and len(value) <= 80:
            yield value


def _details(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value[:16]:
            if isinstance(item, dict):
                yield item


def _detail_codes(details: list[dict[str, Any]]) -> Iterator[str]:
    """google.rpc details: ErrorInfo's reason, and whether a quota is one per day or per minute."""
    for detail in details:
        reason = loose.text(detail.get("reason"))
        if reason:
            yield reason
        for violation in _details(detail.get("violations")):
            quota = loose.text(violation.get("quotaId")) + loose.text(violation.get("subject"))
            if quota:
                yield "quota_per_day" if "perday" in quota.lower() else "quota_window"


def _detail_wait(details: list[dict[str, Any]]) -> float | None:
    return waits.largest(*(waits.duration_s(loose.text(d.get("retryDelay"))) for d in details))


def _status(error: dict[str, Any]) -> int:
    for name in ("status_code", "code", "status", "http_status"):
        value = error.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if type(value) is int and 400 <= value <= 599:
            return value
    return 0
