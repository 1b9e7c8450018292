"""A dialect put together from its two halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from sidecar.core.failure import Failure
from sidecar.core.request import Completion, Prefix
from sidecar.providers import errors
from sidecar.providers.dialect import Decoder, HttpCall
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.told import Told, told_by

Encode = Callable[[Completion, TargetProfile, Prefix | None, str, bool], HttpCall]
Decode = Callable[[TargetProfile, bool, str, Prefix | None], Decoder]


class Spoken(msgspec.Struct, frozen=True):
    """See `Dialect`. Errors before the stream are classified alike in all of them."""

    name: str
    encoder: Encode
    decoding: Decode

    def encode(
        self,
        completion: Completion,
        target: TargetProfile,
        prefix: Prefix | None,
        key: str,
        stream: bool,
    ) -> HttpCall:
        return self.encoder(completion, target, prefix, key, stream)

    def decoder(
        self, target: TargetProfile, stream: bool, key: str = "", prefix: Prefix | None = None
    ) -> Decoder:
        return self.decoding(target, stream, key, prefix)

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

    def told(self, headers: Mapping[str, str], target: TargetProfile) -> Told:
        return told_by(headers, target.provider)
