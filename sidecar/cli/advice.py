"""What to do about an error of a running daemon: one table, by its reason."""

from __future__ import annotations

from headway import HeadwayError

from sidecar.cli.ending import FAILED, MISUSED, Failed
from sidecar.cli.words import span

# The exit code for "try again later", as sysexits.h has it (EX_TEMPFAIL).
LATER = 75

ADVICE = {
    "DAEMON_UNREACHABLE": "start one with `headway serve`, or say where it is: --target or "
    "HEADWAY_TARGET",
    "DAEMON_TOO_OLD": "this command is newer than the daemon: restart the daemon",
    "UNKNOWN_MODEL": "`headway models` lists what may be asked for; provider/model works too",
    "INVALID_REQUEST": "the message names the field and what was expected",
    "UNAUTHENTICATED": "this daemon asks for a token: set HEADWAY_TOKEN",
    "DEADLINE_TOO_SHORT": "allow more time with --timeout; `headway status` shows what is waited "
    "for",
    "DEADLINE_EXCEEDED": "allow more time with --timeout",
    "QUEUE_FULL": "too many requests wait already; `headway status` shows for what",
    "REQUEST_EXCEEDS_LIMIT": "no waiting helps: raise the limit, or ask for less (--max-tokens)",
    "NO_TARGET_READY": "`headway status` shows what stands in the way, until when and why",
    "ATTEMPTS_EXHAUSTED": "`headway status` shows how the targets are; the daemon's log has more",
    "PROVIDER_REFUSED": "the provider does not take this request as it is",
    "CONTEXT_TOO_LONG": "shorten the conversation, or ask a model with more room",
    "CONTENT_FILTERED": "the provider will not answer this",
    "KEYS_REJECTED": "the provider refuses our keys: `headway status` names them",
    "SPEND_LIMIT": "the account has no money left at the provider",
    "STREAM_BROKEN": "there was nothing left to continue it with; ask again",
    "BUDGET_EXHAUSTED": "this caller's budget is used up",
    "DRAINING": "the daemon is shutting down; its successor will answer",
    "INTERNAL": "this is a defect in the daemon: its log has the details",
}
MISUSES = frozenset({"UNKNOWN_MODEL", "INVALID_REQUEST", "REQUEST_EXCEEDS_LIMIT"})


def failed(error: HeadwayError, target: str = "") -> Failed:
    """`error` as the end of a command: what happened, what stood against it, what to do."""
    what = error.message or error.reason
    if error.reason == "DAEMON_UNREACHABLE":
        what = f"no daemon answers at {target}" if target else "no daemon answers"
    lines = [f"{error.reason}: {what}"]
    lines += [
        f"{violation.subject}: {violation.description}"
        for violation in error.violations
        if violation.description and violation.description != error.message
    ]
    lines += [ADVICE[error.reason]] if error.reason in ADVICE else []
    if error.retry_after_s is not None:
        lines.append(f"it is worth asking again in {span(max(error.retry_after_s, 0.0))}")
    return Failed(*lines, code=_code(error))


def _code(error: HeadwayError) -> int:
    if error.retry_after_s is not None:
        return LATER
    return MISUSED if error.reason in MISUSES else FAILED
