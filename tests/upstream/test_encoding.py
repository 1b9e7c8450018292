from __future__ import annotations

import gzip
import zlib

import pytest

from sidecar.upstream.encoding import Decoder, NotDecodable, decoder_for

TEXT = b"the time kept between two trains on one line " * 200

GZIP = gzip.compress(TEXT)
ZLIB = zlib.compress(TEXT)
RAW = zlib.compress(TEXT)[2:-4]
TWO_MEMBERS = gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])


def inflater() -> Decoder:
    decoder = decoder_for("gzip")
    assert decoder is not None
    return decoder


def drain(decoder: Decoder, data: bytes) -> bytes:
    decoder.feed(data)
    out = b""
    while step := decoder.take():
        out += step
    return out


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_identity_needs_no_decoder(coding: str) -> None:
    assert decoder_for(coding) is None


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_an_unknown_coding_is_refused(coding: str) -> None:
    with pytest.raises(NotDecodable):
        decoder_for(coding)


@pytest.mark.parametrize("body", [GZIP, ZLIB, RAW, TWO_MEMBERS])
def test_a_body_decodes_whole_and_byte_by_byte(body: bytes) -> None:
    whole, single = inflater(), inflater()
    assert drain(whole, body) == TEXT
    assert b"".join(drain(single, body[i : i + 1]) for i in range(len(body))) == TEXT
    assert whole.whole
    assert single.whole


@pytest.mark.parametrize("body", [GZIP, ZLIB, TWO_MEMBERS])
def test_a_body_cut_inside_its_coding_is_not_whole(body: bytes) -> None:
    decoder = inflater()
    drain(decoder, body[:-1])
    assert not decoder.whole


def test_an_empty_body_is_whole() -> None:
    assert inflater().whole


def test_what_was_flushed_by_the_sender_is_readable_at_once() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert drain(inflater(), first) == b"data: 1\n\n"


def test_a_bomb_is_inflated_in_bounded_steps() -> None:
    decoder = inflater()
    decoder.feed(gzip.compress(b"\0" * 50_000_000))
    steps = []
    while step := decoder.take():
        steps.append(len(step))
    assert (sum(steps), max(steps)) == (50_000_000, 256 * 1024)


@pytest.mark.parametrize("body", [b"plain text", GZIP[:-8] + b"\xff" * 8])
def test_a_body_that_is_not_its_coding_is_refused(body: bytes) -> None:
    with pytest.raises(NotDecodable):
        drain(inflater(), body)
