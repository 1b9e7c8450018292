"""Content codings, for a provider that compresses though we ask for identity. No I/O."""

from __future__ import annotations

import zlib
from typing import Final, Protocol

# No single step may inflate to more than this; what is left waits compressed.
_STEP_BYTES: Final = 256 * 1024

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_RAW_DEFLATE: Final = -zlib.MAX_WBITS

_IDENTITY: Final = frozenset({"", "identity"})
_INFLATED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class NotDecodable(Exception):
    """The body is not what its content-encoding says, or we do not know the coding."""


class Decoder(Protocol):
    """Bytes as sent to bytes as meant."""

    def feed(self, data: bytes) -> None:
        """Take in what was received. Raises NotDecodable."""

    def take(self) -> bytes:
        """The next bytes, b"" if more must be fed first. Raises NotDecodable."""

    @property
    def whole(self) -> bool:
        """Whether the coding's own end has been reached."""


def decoder_for(content_encoding: str) -> Decoder | None:
    """The decoder, or None where nothing is encoded. Raises NotDecodable for a coding unknown."""
    coding = content_encoding.strip().lower()
    if coding in _IDENTITY:
        return None
    if coding in _INFLATED:
        return Inflater()
    raise NotDecodable("an unknown content-encoding")


class Inflater:
    """gzip (several members too), zlib, and the raw deflate that some servers call deflate."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._pending = b""
        self._begun = False

    @property
    def whole(self) -> bool:
        return not self._pending and (self._inflate.eof or not self._begun)

    def feed(self, data: bytes) -> None:
        self._pending += data

    def take(self) -> bytes:
        out = b""
        while self._can_step() and not out:
            out = self._step(self._pending)
        return out

    def _can_step(self) -> bool:
        # The first two bytes together tell gzip and zlib from raw deflate.
        return bool(self._pending) and (self._begun or len(self._pending) > 1)

    def _step(self, data: bytes) -> bytes:
        if self._inflate.eof:
            self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            out = self._inflate.decompress(data, _STEP_BYTES)
        except zlib.error as exc:
            out = self._step_raw(data, exc)
        self._begun = True
        self._pending = self._inflate.unconsumed_tail or self._inflate.unused_data
        return out

    def _step_raw(self, data: bytes, error: zlib.error) -> bytes:
        if self._begun:
            raise NotDecodable("the body is not valid gzip or deflate") from error
        self._inflate = zlib.decompressobj(_RAW_DEFLATE)
        try:
            return self._inflate.decompress(data, _STEP_BYTES)
        except zlib.error as exc:
            raise NotDecodable("the body is not valid gzip or deflate") from exc
