"""The dialect as one object for the table."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sidecar.core.failure import Failure
from sidecar.core.request import Completion, Prefix
from sidecar.providers import errors
from sidecar.providers.dialect import HttpCall
from sidecar.providers.openai_chat.decode import ChatDecoder
from sidecar.providers.openai_chat.encode import encode
from sidecar.providers.profiles import TargetProfile


class OpenAiChat:
    """`openai-chat`; see `Dialect`."""

    name = "openai-chat"

    def encode(
        self,
        completion: Completion,
        target: TargetProfile,
        prefix: Prefix | None,
        key: str,
        stream: bool,
    ) -> HttpCall:
        return encode(completion, target, prefix, key, stream)

    def decoder(
        self, target: TargetProfile, stream: bool, key: str = "", resumed: bool = False
    ) -> ChatDecoder:
        """`key` is redacted from error texts. `resumed`: the text goes on from a prefix, so a
        template's open think tag is already behind it."""
        quirks = target.quirks
        if resumed and quirks.think_tags == "open":
            quirks = msgspec.structs.replace(quirks, think_tags="off")
        return ChatDecoder(quirks, stream, key)

    def failure(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        target: TargetProfile,
        wall_ns: int,
        key: str = "",
    ) -> Failure:
        return errors.of_response(status, headers, body, wall_ns, target.quirks.error_causes, key)
