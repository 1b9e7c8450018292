"""Faults before the stream: HTTP errors, pages that are no answer, keys that are refused."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator

import msgspec

from sidecar.testing.actions import Action, Finish, Head, Kind, Send
from sidecar.testing.dialects.base import Refusal
from sidecar.testing.faults.base import Args
from sidecar.testing.refusals import KINDS, kind_for
from sidecar.testing.speech import Case

RATE_STYLES = ("seconds", "millis", "date", "reset", "never", "body")
_HTML = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    b"<body><h1>Bad Gateway</h1><p>The upstream is having a rest.</p></body></html>"
)


def by_status(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """An HTTP error by its status, with `Retry-After: S` if S is given."""
    status = int(args["STATUS"])
    return case.refuse(_refusal(kind_for(status), status, args.get("S")))


def by_kind(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """An HTTP error by its kind, a row of KINDS."""
    return case.refuse(_refusal(args["KIND"], KINDS[args["KIND"]].status, args.get("S")))


def refuse_key(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """401 for one key, from its attempt N + 1 on this model."""
    if case.key != args["KEY"] or case.key_number <= int(args["N"]):
        return steps
    return case.refuse(_refusal("unauthorized", 401, None))


def refuse_model_to_key(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """403 for one key on this model: it serves others."""
    if case.key != args["KEY"]:
        return steps
    return case.refuse(_refusal("forbidden", 403, None))


def leak(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """401 whose text repeats the key that was sent."""
    message = f"Incorrect API key provided: {case.secret}. Header was Bearer {case.secret}"
    return case.refuse(Refusal(401, "unauthorized", message))


def rate_told(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """429 that tells its wait of S seconds in one of the ways that providers have."""
    wait = float(args["S"])
    told = {
        "seconds": (("retry-after", _short(wait)),),
        "millis": (("retry-after-ms", str(round(wait * 1000))),),
        "date": (("retry-after", _http_date(case.wall_ns, wait)),),
        "reset": (("x-ratelimit-reset-requests", f"{_short(wait)}s"),),
        "never": (("retry-after", _short(wait)), ("x-should-retry", "false")),
        "body": (),
    }[args["STYLE"]]
    tail = f" Please try again in {_short(wait)}s." if args["STYLE"] == "body" else ""
    return case.refuse(Refusal(429, "rate", KINDS["rate"].message + tail, told))


def html(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """A page of HTML, with status 200 unless another is given. Nothing is billed."""
    yield Head(int(args.get("STATUS", 200)), (("content-type", "text/html; charset=utf-8"),))
    yield Send(_HTML, Kind.OTHER)
    yield Finish()


def empty(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """200 and a correct end, with nothing between. Nothing is billed."""
    yield Head(200, (("content-type", case.renderer.content_type),))
    yield Finish()


def redirect(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """307 to another host, which must not get the key."""
    yield Head(307, (("location", "http://127.0.0.1:9/elsewhere"), ("content-length", "0")))
    yield Finish()


def lying_type(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Whatever comes, its content type says application/octet-stream."""
    for step in steps:
        yield _with_type(step, "application/octet-stream") if isinstance(step, Head) else step


def retry_after_on_success(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """`Retry-After: S` on a response that is fine."""
    for step in steps:
        if isinstance(step, Head):
            headers = (*step.headers, ("retry-after", _short(float(args["S"]))))
            step = msgspec.structs.replace(step, headers=headers)
        yield step


def _refusal(kind: str, status: int, wait: str | None) -> Refusal:
    seconds = None if wait is None else float(wait)
    headers = () if seconds is None else (("retry-after", _short(seconds)),)
    return Refusal(status, kind, KINDS[kind].message, headers, seconds)


def _with_type(head: Head, content_type: str) -> Head:
    others = tuple(pair for pair in head.headers if pair[0] != "content-type")
    return msgspec.structs.replace(head, headers=(("content-type", content_type), *others))


def _http_date(wall_ns: int, wait_s: float) -> str:
    return email.utils.formatdate(wall_ns / 1e9 + wait_s, usegmt=True)


def _short(seconds: float) -> str:
    return f"{seconds:g}"
