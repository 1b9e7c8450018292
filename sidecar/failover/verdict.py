"""The error a caller sees when a request cannot be saved: one table, the first failure's say."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.core.failure import Cause, Failure, Reason, RequestFailed

# When nothing was told, a caller may come back after this many seconds: about the time in which a
# breaker probes again.
COME_BACK_S = 5.0

REASONS: dict[Cause, tuple[Reason, str]] = {
    Cause.REQUEST_REFUSED: (Reason.PROVIDER_REFUSED, "change the request"),
    Cause.UNSUPPORTED: (Reason.PROVIDER_REFUSED, "drop the option or name another target"),
    Cause.PREFIX_REFUSED: (Reason.PROVIDER_REFUSED, "change the request"),
    Cause.CONTEXT_LENGTH: (Reason.CONTEXT_TOO_LONG, "shorten the messages or name a larger model"),
    Cause.CONTENT_FILTER: (Reason.CONTENT_FILTERED, "change the content of the request"),
    Cause.CREDENTIAL: (Reason.KEYS_REJECTED, "replace the key at the provider"),
    Cause.REGION: (Reason.KEYS_REJECTED, "use an account that the provider serves here"),
    Cause.MODEL_ACCESS: (Reason.KEYS_REJECTED, "give the account access to the model"),
    Cause.MODEL_GONE: (Reason.PROVIDER_REFUSED, "name another model: this one was retired"),
    Cause.QUOTA: (Reason.SPEND_LIMIT, "add money to the account or raise its limit"),
}


def error_for(
    refused: Failure | None, failures: Sequence[Failure], told: dict[str, str]
) -> RequestFailed:
    """The error of a request that is over. `told` says what was delivered and tried."""
    first = refused or failures[0]
    metadata = {**told, "cause": first.cause.value, "last_cause": failures[-1].cause.value}
    if first.status:
        metadata["http_status"] = str(first.status)
    if first.code:
        metadata["provider_code"] = first.code
    if int(told["last_sequence"]) > 0 and refused is None:
        return _broken(failures[-1], metadata)
    if first.cause in REASONS:
        reason, advice = REASONS[first.cause]
        return RequestFailed(reason, f"{first.message}; {advice}", metadata=metadata)
    spent = "; the share of traffic for retries is used up" if "retry_budget" in told else ""
    return RequestFailed(
        Reason.ATTEMPTS_EXHAUSTED,
        f"{told['attempts']} attempts failed without an answer, first: {first.message}{spent}; "
        "try again",
        retry_after_s=max((f.retry_after_s or 0.0 for f in failures), default=0.0) or COME_BACK_S,
        metadata=metadata,
    )


def _broken(last: Failure, metadata: dict[str, str]) -> RequestFailed:
    return RequestFailed(
        Reason.STREAM_BROKEN,
        f"the stream broke after text was delivered and nothing is left to try: {last.message}; "
        "keep the partial text, or send the request again",
        metadata=metadata,
    )
