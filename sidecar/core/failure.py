"""Failures: what went wrong, who is to blame, and what that allows. One table; nobody else decides.

The classes follow reference "failure card", section 4, the reasons and codes DESIGN section 3.
"""

from __future__ import annotations

import enum

import msgspec


class Blame(enum.Enum):
    """Who has to rest or change before the same call can work."""

    REQUEST = "request"
    KEY = "key"
    KEY_MODEL = "key_model"
    ACCOUNT = "account"
    TARGET = "target"
    PROVIDER = "provider"
    NOBODY = "nobody"


class Remedy(enum.Enum):
    """What the session does next.

    RETRY: the same target may be asked again after a backoff. REST: whoever is to blame rests,
    another key or target may be asked at once. MOVE: the target is out for this request, whoever
    else may be asked at once. REFUSE: the caller gets the error, nobody else is asked.
    """

    RETRY = "retry"
    REST = "rest"
    MOVE = "move"
    REFUSE = "refuse"


class Cause(enum.Enum):
    """What went wrong with an attempt; the value is what callers, spans and the ledger see."""

    CONNECT = "CONNECT_FAILED"
    RESET = "CONNECTION_RESET"
    CUT = "STREAM_CUT"
    MALFORMED = "MALFORMED_STREAM"
    TIMEOUT_HEADERS = "NO_RESPONSE"
    TIMEOUT_FIRST = "FIRST_TOKEN_TIMEOUT"
    STALLED = "STREAM_STALLED"
    TOO_SLOW = "STREAM_TOO_SLOW"
    TIMEOUT_TOTAL = "ATTEMPT_TIMEOUT"
    SERVER_ERROR = "PROVIDER_ERROR"
    OVERLOADED = "PROVIDER_OVERLOADED"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA = "SPEND_LIMIT"
    CREDENTIAL = "KEY_REJECTED"
    REGION = "REGION_REFUSED"
    MODEL_ACCESS = "MODEL_ACCESS"
    MODEL_GONE = "MODEL_GONE"
    CONTEXT_LENGTH = "CONTEXT_TOO_LONG"
    CONTENT_FILTER = "CONTENT_FILTERED"
    PREFIX_REFUSED = "PREFIX_REFUSED"
    UNSUPPORTED = "OPTION_UNSUPPORTED"
    REQUEST_REFUSED = "PROVIDER_REFUSED"
    UNKNOWN = "UNKNOWN_FAILURE"


class Verdict(msgspec.Struct, frozen=True):
    """One row: who is to blame, what follows, and whether the target's breaker hears of it."""

    blame: Blame
    remedy: Remedy
    trips_breaker: bool = False


VERDICTS: dict[Cause, Verdict] = {
    Cause.CONNECT: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    Cause.RESET: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    Cause.CUT: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    Cause.MALFORMED: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    # A silent target is not asked again: retrying one took every public gateway over 90 s (S06).
    Cause.TIMEOUT_HEADERS: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
    Cause.TIMEOUT_FIRST: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
    # Nor is one that fell silent in mid-stream: it may well do so again, at the same cost (S09).
    Cause.STALLED: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
    Cause.TOO_SLOW: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
    Cause.TIMEOUT_TOTAL: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
    Cause.SERVER_ERROR: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    Cause.OVERLOADED: Verdict(Blame.TARGET, Remedy.RETRY, trips_breaker=True),
    Cause.RATE_LIMITED: Verdict(Blame.ACCOUNT, Remedy.REST),
    Cause.QUOTA: Verdict(Blame.ACCOUNT, Remedy.REST),
    Cause.CREDENTIAL: Verdict(Blame.KEY, Remedy.REST),
    Cause.REGION: Verdict(Blame.ACCOUNT, Remedy.REST),
    Cause.MODEL_ACCESS: Verdict(Blame.KEY_MODEL, Remedy.REST),
    Cause.MODEL_GONE: Verdict(Blame.TARGET, Remedy.MOVE),
    Cause.CONTEXT_LENGTH: Verdict(Blame.REQUEST, Remedy.MOVE),
    Cause.CONTENT_FILTER: Verdict(Blame.REQUEST, Remedy.REFUSE),
    # The target stays: it is asked again without a prefix, and remembered as one that takes none.
    Cause.PREFIX_REFUSED: Verdict(Blame.NOBODY, Remedy.RETRY),
    # Found before anything was sent; a target further down the route may be able.
    Cause.UNSUPPORTED: Verdict(Blame.REQUEST, Remedy.MOVE),
    Cause.REQUEST_REFUSED: Verdict(Blame.REQUEST, Remedy.REFUSE),
    Cause.UNKNOWN: Verdict(Blame.TARGET, Remedy.MOVE, trips_breaker=True),
}


class Failure(msgspec.Struct, frozen=True):
    """One classified failure of an attempt.

    `message` may be shown to the caller, so it never holds provider text that was not made safe.
    `retry_after_s` is the largest wait the provider asked for, in seconds, None if it named none.
    `limit` carries numbers the provider told with a 429 (for example a concurrency limit).
    `upstream` names the provider behind an aggregator that failed, "" if untold.
    """

    cause: Cause
    message: str
    status: int = 0
    code: str = ""
    retry_after_s: float | None = None
    limit: tuple[tuple[str, int], ...] = ()
    upstream: str = ""

    @property
    def verdict(self) -> Verdict:
        return VERDICTS[self.cause]


class Reason(enum.Enum):
    """The reasons of DESIGN section 3, as they stand in ErrorInfo."""

    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    QUEUE_FULL = "QUEUE_FULL"
    REQUEST_EXCEEDS_LIMIT = "REQUEST_EXCEEDS_LIMIT"
    NO_TARGET_READY = "NO_TARGET_READY"
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    CONTENT_FILTERED = "CONTENT_FILTERED"
    KEYS_REJECTED = "KEYS_REJECTED"
    SPEND_LIMIT = "SPEND_LIMIT"
    STREAM_BROKEN = "STREAM_BROKEN"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    DRAINING = "DRAINING"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INVALID_REQUEST = "INVALID_REQUEST"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    NOT_REPLAYABLE = "NOT_REPLAYABLE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INTERNAL = "INTERNAL"


# The gRPC code of each reason, by its name (DESIGN section 3).
CODES: dict[Reason, str] = {
    Reason.DEADLINE_TOO_SHORT: "RESOURCE_EXHAUSTED",
    Reason.QUEUE_FULL: "RESOURCE_EXHAUSTED",
    Reason.REQUEST_EXCEEDS_LIMIT: "INVALID_ARGUMENT",
    Reason.NO_TARGET_READY: "UNAVAILABLE",
    Reason.ATTEMPTS_EXHAUSTED: "UNAVAILABLE",
    Reason.PROVIDER_REFUSED: "INVALID_ARGUMENT",
    Reason.CONTEXT_TOO_LONG: "INVALID_ARGUMENT",
    Reason.CONTENT_FILTERED: "FAILED_PRECONDITION",
    Reason.KEYS_REJECTED: "FAILED_PRECONDITION",
    Reason.SPEND_LIMIT: "FAILED_PRECONDITION",
    Reason.STREAM_BROKEN: "ABORTED",
    Reason.BUDGET_EXHAUSTED: "RESOURCE_EXHAUSTED",
    Reason.DRAINING: "UNAVAILABLE",
    Reason.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    Reason.INVALID_REQUEST: "INVALID_ARGUMENT",
    Reason.UNKNOWN_MODEL: "INVALID_ARGUMENT",
    Reason.NOT_REPLAYABLE: "FAILED_PRECONDITION",
    Reason.UNAUTHENTICATED: "UNAUTHENTICATED",
    Reason.INTERNAL: "INTERNAL",
}


class Violation(msgspec.Struct, frozen=True):
    """One bucket that stood in the way: `subject` names it, `description` says what it allows."""

    subject: str
    description: str


class RequestFailed(Exception):
    """A request ends without `completed`. The server turns this into a google.rpc.Status.

    `message` says what, why and what to do. `retry_after_s` None means: do not retry.
    `metadata` values are strings, without secrets. `field` names a bad request field, if one.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after_s: float | None = None,
        metadata: dict[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
        field: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        self.metadata = metadata or {}
        self.violations = violations
        self.field = field
