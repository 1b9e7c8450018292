"""Faults in the bytes: events that do not parse, odd but legal framing, hostile sizes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

import msgspec

from sidecar.testing.actions import Action, Finish, Head, Kind, Send, Wait
from sidecar.testing.faults.base import Args
from sidecar.testing.speech import Case

_TOKENS = (Kind.REASONING, Kind.ANSWER, Kind.TOOL)


def garbage(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """One event more, in place K, that does not parse as JSON; no token is lost."""
    return _insert(steps, int(args["K"]), _event(case, b'{"id":"chatcmpl-fake","choices":[{"ind'))


def broken(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Event K loses the second half of its JSON, and with it its token."""
    return _change(steps, int(args["K"]), lambda data: data[: len(data) // 2] + b"\n\n")


def bad_utf8(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Event K holds a byte that UTF-8 does not know."""
    return _change(steps, int(args["K"]), lambda data: data.replace(b'":"', b'":"\xff\xfe', 1))


def huge(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The second event is one of N bytes: valid JSON in a field that nobody knows."""
    filler = b'{"filler":"' + b"x" * int(args["N"]) + b'"}'
    return _insert(steps, 2, _event(case, filler))


def endless_line(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """After the opening event N bytes without a line end, and nothing else."""
    for step in steps:
        yield step
        if isinstance(step, Send) and step.kind is Kind.OPENING:
            break
    chunk = 65_536
    for start in range(0, int(args["N"]), chunk):
        yield Send(b"y" * min(chunk, int(args["N"]) - start))
    yield Finish()


def deep(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The second event is JSON nested N deep."""
    depth = int(args["N"])
    return _insert(steps, 2, _event(case, b"[" * depth + b"]" * depth))


def drop(*kinds: Kind) -> Callable[[Iterator[Action], Case, Args], Iterator[Action]]:
    """A fault that leaves out all bytes of these kinds."""

    def dropped(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
        return (s for s in steps if not (isinstance(s, Send) and s.kind in kinds))

    return dropped


def in_chunks(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Every event leaves in chunks of N bytes, a millisecond apart, wherever that falls."""
    size = int(args["N"])
    for step in steps:
        if not isinstance(step, Send) or not step.data:
            yield step
            continue
        for start in range(0, len(step.data), size):
            part = step.data[start : start + size]
            is_last = start + size >= len(step.data)
            # The token counts once its event is out whole.
            yield msgspec.structs.replace(step, data=part) if is_last else Send(part)
            yield Wait(0.001)


STYLES: dict[str, Callable[[bytes], bytes]] = {
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "cr": lambda data: data.replace(b"\n", b"\r"),
    "tight": lambda data: data.replace(b"data: ", b"data:").replace(b"event: ", b"event:"),
    "comments": lambda data: b": PROCESSING\n\n:\n" + data,
    "padded": lambda data: re.sub(rb"\}\n", b"}      \n", data),
    "blank": lambda data: b"\n\n\n" + data,
    "bom": lambda data: data,
    "split": lambda data: re.sub(rb'^(data: \{"[^"]*":)', rb"\1\ndata: ", data, count=1),
}


def framed(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """Server-sent events in an unusual but legal STYLE; a row of the table of styles."""
    style, started = STYLES[args["STYLE"]], False
    for step in steps:
        if case.is_sse and isinstance(step, Send) and step.data:
            mark = b"\xef\xbb\xbf" if args["STYLE"] == "bom" and not started else b""
            step = msgspec.structs.replace(step, data=mark + style(step.data))
            started = True
        yield step


def zipped(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The body is compressed with gzip, event by event, whether that was asked for or not."""
    packer = zlib.compressobj(wbits=31)
    for step in steps:
        if isinstance(step, Head):
            yield _claims_gzip(step)
        elif isinstance(step, Send) and step.data:
            data = packer.compress(step.data) + packer.flush(zlib.Z_SYNC_FLUSH)
            yield msgspec.structs.replace(step, data=data)
        else:
            yield step


def false_zip(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The headers claim gzip, the body is plain."""
    return (_claims_gzip(step) if isinstance(step, Head) else step for step in steps)


def unframed(steps: Iterator[Action], case: Case, args: Args) -> Iterator[Action]:
    """The HTTP body has neither length nor chunks: only the end of the connection ends it."""
    for step in steps:
        yield (
            msgspec.structs.replace(_without_length(step), until_close=True)
            if isinstance(step, Head)
            else step
        )


def _claims_gzip(head: Head) -> Head:
    head = _without_length(head)
    return msgspec.structs.replace(head, headers=(*head.headers, ("content-encoding", "gzip")))


def _without_length(head: Head) -> Head:
    kept = tuple(pair for pair in head.headers if pair[0] != "content-length")
    return msgspec.structs.replace(head, headers=kept)


def _event(case: Case, payload: bytes) -> Send:
    return Send(b"data: " + payload + b"\n\n" if case.is_sse else payload + b"\n")


def _insert(steps: Iterator[Action], place: int, extra: Send) -> Iterator[Action]:
    seen = 0
    for step in steps:
        if isinstance(step, Send) and step.data:
            seen += 1
            if seen == place:
                yield extra
        yield step


def _change(
    steps: Iterator[Action], place: int, change: Callable[[bytes], bytes]
) -> Iterator[Action]:
    seen = 0
    for step in steps:
        if isinstance(step, Send) and step.data:
            seen += 1
            if seen == place:
                step = msgspec.structs.replace(step, data=change(step.data))
        yield step
