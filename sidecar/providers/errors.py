"""Failures of providers, classified once: code, then wording, then type, then the bare status.

The classes and their order follow the reference's failure card, section 4. Every message that
leaves here was made safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sidecar.core.failure import Cause, Failure
from sidecar.providers import loose, waits
from sidecar.providers.error_body import ErrorFacts, facts_of, facts_of_body
from sidecar.providers.safe_text import safe

# Machine words that say what happened whatever the status is; lower case.
CODES: dict[str, Cause] = {
    "insufficient_quota": Cause.QUOTA,
    "blocked_api_access": Cause.QUOTA,
    "billing_error": Cause.QUOTA,
    "billing_hard_limit_reached": Cause.QUOTA,
    "billing_not_active": Cause.QUOTA,
    "insufficient_balance": Cause.QUOTA,
    "insufficient_user_quota": Cause.QUOTA,
    "insufficient_credits": Cause.QUOTA,
    "credit_exhausted": Cause.QUOTA,
    "payment_required": Cause.QUOTA,
    "budget_exceeded": Cause.QUOTA,
    "weight_exceeds_budget": Cause.QUOTA,
    "arrearage": Cause.QUOTA,
    "quota_per_day": Cause.QUOTA,
    "quota_exceeded": Cause.QUOTA,
    "allocationquota.freetieronly": Cause.QUOTA,
    "enforced_spend_limit_reached": Cause.QUOTA,
    "contract_spend_limit_reached": Cause.QUOTA,
    "linked_organization_spend_limit_reached": Cause.QUOTA,
    "linked_organization_billing_unavailable": Cause.QUOTA,
    "openrouter_credits": Cause.QUOTA,
    "openrouter_key_limit": Cause.QUOTA,
    "openrouter_workspace_budget": Cause.QUOTA,
    "openrouter_guardrail_budget": Cause.QUOTA,
    "openrouter_in_flight_budget": Cause.RATE_LIMITED,
    "quota_window": Cause.RATE_LIMITED,
    "in_flight_budget_exhausted": Cause.RATE_LIMITED,
    "rate_limit_exceeded": Cause.RATE_LIMITED,
    "ramp_limit_exceeded": Cause.RATE_LIMITED,
    "rate_limited": Cause.RATE_LIMITED,
    "too_many_requests": Cause.RATE_LIMITED,
    "throttling.ratequota": Cause.RATE_LIMITED,
    "throttlingexception": Cause.RATE_LIMITED,
    "unsupported_country_region_territory": Cause.REGION,
    "invalid_api_key": Cause.CREDENTIAL,
    "api_key_invalid": Cause.CREDENTIAL,
    "invalid_authentication": Cause.CREDENTIAL,
    "authentication": Cause.CREDENTIAL,
    "authentication_error": Cause.CREDENTIAL,
    "authenticationerror": Cause.CREDENTIAL,
    "unauthenticated": Cause.CREDENTIAL,
    "organization_restricted": Cause.CREDENTIAL,
    "organization_on_hold": Cause.CREDENTIAL,
    "account_deactivated": Cause.CREDENTIAL,
    "access_terminated": Cause.CREDENTIAL,
    "signaturedoesnotmatch": Cause.CREDENTIAL,
    "unrecognizedclientexception": Cause.CREDENTIAL,
    "expiredtokenexception": Cause.CREDENTIAL,
    "model_not_found": Cause.MODEL_ACCESS,
    "deploymentnotfound": Cause.MODEL_ACCESS,
    "unknown_model": Cause.MODEL_ACCESS,
    "unknownmodel": Cause.MODEL_ACCESS,
    "unavailable_model": Cause.MODEL_ACCESS,
    "model_not_available": Cause.MODEL_ACCESS,
    "model_not_supported": Cause.MODEL_ACCESS,
    "model.accessdenied": Cause.MODEL_ACCESS,
    "model_terms_required": Cause.MODEL_ACCESS,
    # LiteLLM says these with 401, though the key is good for other models.
    "key_model_access_denied": Cause.MODEL_ACCESS,
    "team_model_access_denied": Cause.MODEL_ACCESS,
    "user_model_access_denied": Cause.MODEL_ACCESS,
    "permission_error": Cause.MODEL_ACCESS,
    "model_decommissioned": Cause.MODEL_GONE,
    "model_deprecated": Cause.MODEL_GONE,
    "model_retired": Cause.MODEL_GONE,
    "context_length_exceeded": Cause.CONTEXT_LENGTH,
    "context_window_exceeded": Cause.CONTEXT_LENGTH,
    "exceed_context_size_error": Cause.CONTEXT_LENGTH,
    "contextwindowexceedederror": Cause.CONTEXT_LENGTH,
    "request_too_large": Cause.CONTEXT_LENGTH,
    "content_filter": Cause.CONTENT_FILTER,
    "content_policy_violation": Cause.CONTENT_FILTER,
    "responsibleaipolicyviolation": Cause.CONTENT_FILTER,
    "moderation_blocked": Cause.CONTENT_FILTER,
    "invalid_prompt": Cause.CONTENT_FILTER,
    "bio_policy": Cause.CONTENT_FILTER,
    "cyber_policy": Cause.CONTENT_FILTER,
    "misalignment_policy_violation": Cause.CONTENT_FILTER,
    "safety": Cause.CONTENT_FILTER,
    "recitation": Cause.CONTENT_FILTER,
    "blocklist": Cause.CONTENT_FILTER,
    "spii": Cause.CONTENT_FILTER,
    "prohibited_content": Cause.CONTENT_FILTER,
    "content_blocked": Cause.CONTENT_FILTER,
    "data_inspection_failed": Cause.CONTENT_FILTER,
    "datainspectionfailed": Cause.CONTENT_FILTER,
    "hooks_failed": Cause.CONTENT_FILTER,
    "overloaded_error": Cause.OVERLOADED,
    "engine_overloaded": Cause.OVERLOADED,
    "engine_overloaded_error": Cause.OVERLOADED,
    "server_overloaded": Cause.OVERLOADED,
    "capacity_exceeded": Cause.OVERLOADED,
    "slow_down": Cause.OVERLOADED,
}

# Words too general to overrule what the message says.
TYPES: dict[str, Cause] = {
    "rate_limit_error": Cause.RATE_LIMITED,
    "resource_exhausted": Cause.RATE_LIMITED,
    "api_error": Cause.SERVER_ERROR,
    "server_error": Cause.SERVER_ERROR,
    "internal_error": Cause.SERVER_ERROR,
    "internal_server_error": Cause.SERVER_ERROR,
    "internal": Cause.SERVER_ERROR,
    "timeout_error": Cause.SERVER_ERROR,
    "deadline_exceeded": Cause.SERVER_ERROR,
    "unavailable": Cause.OVERLOADED,
    "service_unavailable": Cause.OVERLOADED,
    "service_unavailable_error": Cause.OVERLOADED,
    "model_overloaded": Cause.OVERLOADED,
    # Anthropic's only word for a model that it does not know.
    "not_found_error": Cause.MODEL_ACCESS,
}

STATUSES: dict[int, Cause] = {
    401: Cause.CREDENTIAL,
    402: Cause.QUOTA,
    403: Cause.CREDENTIAL,
    404: Cause.UNKNOWN,
    408: Cause.SERVER_ERROR,
    410: Cause.MODEL_GONE,
    413: Cause.CONTEXT_LENGTH,
    425: Cause.SERVER_ERROR,
    429: Cause.RATE_LIMITED,
    # Portkey's guardrail, Groq's flex capacity.
    446: Cause.CONTENT_FILTER,
    498: Cause.OVERLOADED,
}
# What a provider says no to, if it says so in a body of its own and not in a proxy's page.
CALLER_STATUSES = frozenset({400, 405, 406, 409, 411, 414, 415, 416, 422, 431})
OVERLOADED_STATUSES = frozenset({503, 529})


class Wording(msgspec.Struct, frozen=True):
    """Words that give a cause away; `only` and `never` bound the statuses they are believed at.

    Status 0 stands for an error inside a stream that told none.
    """

    cause: Cause
    pattern: re.Pattern[str]
    only: frozenset[int] = frozenset()
    never: frozenset[int] = frozenset()


def _words(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


WORDINGS: tuple[Wording, ...] = (
    Wording(
        Cause.QUOTA,
        _words(
            r"insufficient (?:balance|quota|credits?|funds?)|credit balance is too low"
            r"|exceeded your current quota|check your plan and billing|out of credits"
            r"|spend(?:ing)?[ -]?(?:limit|cap)|usage limits?\b.{0,40}(?:reach|exceed)"
            r"|(?:reach|exceed)\w*.{0,40}usage limit|requires? more credits|negative balance"
            r"|account balance|(?:monthly|daily) (?:limit|quota|budget)|arrears"
            r"|key limit exceeded|budget has been exceeded|not have any credits"
            r"|n't have any credits|credits? (?:are|is|have been) (?:depleted|exhausted)"
        ),
        only=frozenset({0, 400, 402, 403, 412, 429}),
    ),
    Wording(
        Cause.PREFIX_REFUSED,
        _words(
            r"\bpre-?fill|must end with a user message|expected last role|last message must"
            r"|continue_final_message|final message.{0,40}assistant"
            r"|\bprefix\b.{0,60}(?:beta|support|only|must)|support.{0,40}\bprefix\b"
        ),
        only=frozenset({0, 400, 422}),
    ),
    Wording(
        Cause.CONTEXT_LENGTH,
        _words(
            r"context ?(?:length|window|size|limit)|maximum context|prompt is too long"
            r"|maximum (?:prompt|input) length|(?:prompt|input) exceeds (?:the )?max\w* length"
            r"|range of input length|max_new_tokens\W{1,3}must be|model token limit"
            r"|input (?:is )?too long|too many (?:input |prompt )?tokens in|reduce the length"
            r"|input token count|longer than the maximum (?:model )?(?:context|length)"
            r"|exceeds? the (?:maximum|max) (?:number of )?(?:input )?tokens"
        ),
        only=frozenset({0, 400, 413, 422}),
    ),
    Wording(
        Cause.REGION,
        _words(
            r"country, region,? or territory|location is not supported"
            r"|(?:not available|unavailable|not supported) in your (?:country|region|location)"
        ),
        only=frozenset({0, 400, 403, 451}),
    ),
    Wording(
        Cause.CONTENT_FILTER,
        _words(
            r"content ?(?:management )?(?:policy|policies|filter)|safety system|content exists risk"
            r"|flagged (?:by|as|for)|moderation|inappropriate content|guardrail"
            r"|violat\w+ .{0,60}(?:polic|guideline|terms)"
        ),
        only=frozenset({0, 400, 403, 422, 446, 451}),
    ),
    Wording(
        Cause.MODEL_GONE,
        _words(
            r"(?:model|deployment)\b.{0,80}(?:decommissioned|retired|discontinued|shut ?down"
            r"|no longer (?:available|supported)|has been (?:removed|deprecated))"
        ),
        only=frozenset({0, 400, 403, 404, 410, 422}),
    ),
    Wording(
        Cause.MODEL_ACCESS,
        _words(
            r"\bmodels?\b.{0,80}(?:not found|(?:does|do) not exist|not exist|is not available)"
            r"|no such model|unknown model|invalid model(?: name)?\b|no endpoints found"
            r"|supported api model names|not have access to.{0,40}model|is not a valid model"
            r"|models/.{0,80}(?:not found|not supported)|not found the model|no allowed providers"
            r"|organization must be verified|model requires a subscription"
        ),
        only=frozenset({0, 400, 403, 404, 422}),
    ),
    Wording(
        Cause.CREDENTIAL,
        _words(
            r"api[ _-]?key.{0,40}(?:invalid|incorrect|not valid|expired|revoked|disabled|leaked)"
            r"|(?:invalid|incorrect|expired|missing|wrong|no).{0,20}api[ _-]?key"
            r"|authentication (?:fail|header)|organization has been (?:disabled|restricted)"
        ),
        only=frozenset({0, 400, 401, 403}),
    ),
    Wording(
        Cause.RATE_LIMITED,
        _words(
            r"rate[ -]?limit|too many requests|(?:requests|tokens) per (?:minute|second|day)"
            r"|concurrency limit|throttl"
        ),
        never=frozenset({401, 403, 413}),
    ),
    Wording(
        Cause.OVERLOADED,
        _words(r"overloaded|(?:no|over|at) capacity|loading model|temporarily unavailable"),
        only=frozenset({0, 408, 498}),
    ),
)


def of_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    wall_ns: int,
    extra: Mapping[str, str] | None = None,
    key: str = "",
) -> Failure:
    """The failure of an answer that is not 200. Header names are lower case.

    `extra` maps further machine words of one provider to the names of causes.
    """
    facts = facts_of_body(body)
    cause = cause_of(status, facts, extra or {})
    should_retry = headers.get("x-should-retry", "")
    if should_retry == "false" and cause is Cause.RATE_LIMITED:
        # Anthropic's enforced spend limit: a 429 that no waiting cures.
        cause = Cause.QUOTA
    elif should_retry == "true" and cause is Cause.REQUEST_REFUSED:
        cause = Cause.SERVER_ERROR
    return _failure(cause, status, facts, _wait(status, headers, facts, wall_ns), key)


def of_event(
    error: Any, status: int = 0, extra: Mapping[str, str] | None = None, key: str = ""
) -> Failure:
    """The failure that an error object inside a 200 stream tells of."""
    facts = facts_of(error)
    status = facts.status or status
    return _failure(cause_of(status, facts, extra or {}), status, facts, facts.retry_after_s, key)


def from_stray(lines: bytes, key: str = "") -> Failure | None:
    """The failure told outside the framing, None if the lines are nothing known."""
    text = lines.strip()
    name, _, value = text.partition(b":")
    if name.strip().lower() == b"error":
        return of_event(_value(value), key=key)
    if text[:1] in (b"{", b"["):
        document = _value(text)
        outer = document[0] if isinstance(document, list) and document else document
        if loose.record(outer).get("error"):
            return of_event(document, key=key)
    if text[:1] == b"<" and b"html" in text[:200].lower():
        return Failure(Cause.SERVER_ERROR, "an HTML page instead of a stream")
    return None


def cause_of(status: int, facts: ErrorFacts, extra: Mapping[str, str] | None = None) -> Cause:
    """The one decision. `status` 0: an error inside a stream that told none."""
    if status >= 500:
        return Cause.OVERLOADED if status in OVERLOADED_STATUSES else Cause.SERVER_ERROR
    if status == 413 or _never_fits(facts):
        # Groq and OpenAI say rate_limit_exceeded, but no waiting makes the request smaller.
        return Cause.CONTEXT_LENGTH
    for code in facts.codes:
        if extra and code in extra:
            return Cause[extra[code]]
    for table in (CODES, None, TYPES):
        cause = _worded(status, facts.message) if table is None else _coded(facts.codes, table)
        if cause is not None and not (cause is Cause.RATE_LIMITED and status in (401, 403)):
            return cause
    return _by_status(status, facts.readable)


def _never_fits(facts: ErrorFacts) -> bool:
    """Did the request alone ask for more than the whole limit?"""
    told = dict(facts.limit)
    return "limit" in told and told.get("requested", 0) > told["limit"]


def _coded(codes: tuple[str, ...], table: Mapping[str, Cause]) -> Cause | None:
    return next((table[code] for code in codes if code in table), None)


def _worded(status: int, message: str) -> Cause | None:
    message = message[:2000]
    for wording in WORDINGS:
        believed = (not wording.only or status in wording.only) and status not in wording.never
        if believed and wording.pattern.search(message):
            return wording.cause
    return None


def _by_status(status: int, readable: bool) -> Cause:
    if status < 400:
        return Cause.SERVER_ERROR
    if status in CALLER_STATUSES and readable:
        return Cause.REQUEST_REFUSED
    return STATUSES.get(status, Cause.UNKNOWN)


def _wait(status: int, headers: Mapping[str, str], facts: ErrorFacts, wall_ns: int) -> float | None:
    """Explicit waits count wherever an error is; a window's reset only explains a bare 429."""
    told = waits.largest(waits.retry_after_s(headers, wall_ns), facts.retry_after_s)
    if told is not None or status != 429:
        return told
    return waits.reset_s({**dict(facts.headers), **headers}, wall_ns)


def _failure(cause: Cause, status: int, facts: ErrorFacts, wait: float | None, key: str) -> Failure:
    message = safe(facts.message, key) or f"status {status} without a readable body"
    code = safe(facts.codes[0], key) if facts.codes else ""
    upstream = safe(facts.upstream, key)[:80]
    return Failure(cause, message, status, code[:80], wait, facts.limit, upstream)


def _value(text: bytes) -> Any:
    try:
        return loose.document(text.strip())
    except ValueError:
        return text.strip()[:2000].decode("utf-8", "replace")
