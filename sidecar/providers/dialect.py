"""The interface of a dialect: what the gateway asks for, and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from sidecar.core.events import Delta, FinishReason
from sidecar.core.failure import Failure
from sidecar.core.request import Completion, Prefix
from sidecar.core.usage import Usage

if TYPE_CHECKING:
    from sidecar.providers.profiles import TargetProfile
    from sidecar.providers.told import Told


class Unsupported(Exception):
    """The target cannot do what is asked; another target may. `field` names what stood in the way.

    Raised for options that change what an answer *is* (images, tools, a schema, a prefix). Options
    that only tune it are dropped instead, and reported in `HttpCall.dropped`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class HttpCall(msgspec.Struct, frozen=True):
    """One POST. `path` begins with "/" and is appended to the provider's base URL.

    `headers` hold the key: never log them. `dropped` names the options that were not sent as asked.
    """

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    dropped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"HttpCall(path={self.path!r}, body={len(self.body)} bytes)"


class Report(msgspec.Struct):
    """What a decoder has learnt so far besides the deltas; filled in as the stream goes.

    `finish_reason` is None until the model has finished,
    and may still be refined until `done` or `end()` (a usage chunk tells whether a `length` was all
    reasoning). `native_finish` is the provider's own word. `late_error` came after the finish
    reason: the answer stands. `cost_nano_usd` is what the provider says it charged.
    `upstream` names the provider behind an aggregator, "" if untold. `split_estimated`: the total
    of `usage` is the provider's, but how much of it was reasoning was not told and is our guess
    from the texts. `tool_input_tokens` are those of the input that tools of the provider wrote.
    """

    response_id: str = ""
    response_model: str = ""
    finish_reason: FinishReason | None = None
    native_finish: str = ""
    late_error: Failure | None = None
    cost_nano_usd: int | None = None
    upstream: str = ""
    split_estimated: bool = False
    tool_input_tokens: int = 0


class Decoder(Protocol):
    """Bytes of one response body in, deltas out. Never raises, whatever the bytes are.

    `failure` is set once and ends the stream; `done` says that a terminal marker was seen and
    nothing more needs reading. After either, `feed` and `end` return []. Deltas of one phase that
    come out of one `feed` are merged. `keepalives` counts comments and blank documents: signs of
    life that are no progress. `heard`: at least one event came, so a model's server has answered.
    """

    report: Report
    failure: Failure | None
    done: bool
    heard: bool

    @property
    def keepalives(self) -> int: ...

    @property
    def usage(self) -> Usage | None:
        """What the provider has told by now, None where that is nothing."""

    @property
    def pieces(self) -> tuple[int, int]:
        """Pieces of reasoning and of answer seen before merging: about a token each with providers
        that stream token by token, and all there is to count by where no usage was told."""

    def feed(self, data: bytes) -> list[Delta]:
        """Take some bytes of the body, cut anywhere."""

    def end(self) -> list[Delta]:
        """Take the clean end of the body; sets `failure` (CUT) if the stream was not whole."""


class Dialect(Protocol):
    """A wire language."""

    @property
    def name(self) -> str: ...

    def encode(
        self,
        completion: Completion,
        target: TargetProfile,
        prefix: Prefix | None,
        key: str,
        stream: bool,
    ) -> HttpCall:
        """The call that asks `target` for `completion`, continuing `prefix` if there is one.

        Raises Unsupported for what the target cannot do. `key` "" sends no credential.
        """

    def decoder(
        self, target: TargetProfile, stream: bool, key: str = "", prefix: Prefix | None = None
    ) -> Decoder:
        """A decoder for one 200 answer; `stream` False: one JSON document, in any pieces.

        `key` is redacted from error texts. `prefix` is what the call continued, if anything.
        """

    def failure(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        target: TargetProfile,
        wall_ns: int,
        key: str = "",
    ) -> Failure:
        """Classify an answer that is not 200. Header names are lower case.

        `wall_ns` is the time of the answer, for waits that are written as dates. `key` is
        redacted from the message, whatever it looks like.
        """

    def told(self, headers: Mapping[str, str], target: TargetProfile) -> Told:
        """What the headers of any answer tell: the provider's id of the call, and its cost."""
