"""JSON that strict parsers refuse."""

from __future__ import annotations

import math

import msgspec
import pytest

from sidecar.providers import loose


class Shape(msgspec.Struct):
    n: int = 0
    s: str = ""


DECODER = msgspec.json.Decoder(Shape)


def test_infinity_is_survived() -> None:
    assert math.isinf(loose.document(b'{"a": Infinity}')["a"])


def test_lone_surrogates_become_replacement_characters() -> None:
    assert loose.document(b'{"\\ud83d": ["\\ud83dx"]}') == {"\ufffd": ["\ufffdx"]}


def test_bytes_that_are_no_utf_8_are_survived() -> None:
    assert loose.document(b'{"a": "\xff"}') == {"a": "\ufffd"}


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b"[" * 100_000])
def test_what_is_no_json_raises_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"(?i)expecting|nested"):
        loose.document(data)


def test_numbers_and_strings_may_stand_for_one_another() -> None:
    assert loose.typed(b'{"n": "7"}', DECODER, Shape).n == 7


def test_a_shape_that_does_not_fit_raises_value_error() -> None:
    with pytest.raises(ValueError, match="Expected"):
        loose.typed(b'{"n": {}}', DECODER, Shape)


def test_records_and_texts_are_what_they_are_or_empty() -> None:
    assert loose.record({"a": 1}) == {"a": 1}
    assert loose.record([1]) == {}
    assert loose.text("a") == "a"
    assert loose.text(None) == ""
