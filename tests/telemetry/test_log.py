"""The log: one line a record, without secrets."""

from __future__ import annotations

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.telemetry.log import MASK, Redactor, handler

from .making import calm

KEY = "sk-live/0123456789+abc"


class Logged:
    """A logger of its own with one handler on a string."""

    def __init__(self, style: str) -> None:
        self.redactor = Redactor()
        self.stream = io.StringIO()
        self.handler = handler(self.stream, style, self.redactor)
        self.log = logging.Logger("test")
        self.log.addHandler(self.handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def line(self) -> dict[str, str]:
        """The only line, decoded."""
        (line,) = self.text.splitlines()
        return json.loads(line)  # type: ignore[no-any-return]


@pytest.fixture
def logged() -> Logged:
    return Logged("json")


def test_a_line_is_one_json_object(logged: Logged) -> None:
    logged.log.warning("key %s rests\nfor %d s", "a1", 30, extra={"provider": "deepseek"})

    line = logged.line
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "test",
        "message": "key a1 rests\nfor 30 s",
        "provider": "deepseek",
    }


def test_a_traceback_is_part_of_its_line(logged: Logged) -> None:
    try:
        raise ValueError("wrong")
    except ValueError:
        logged.log.exception("failed")

    assert "ValueError: wrong" in logged.line["exception"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_secret_is_masked_wherever_it_stands(style: str) -> None:
    logged = Logged(style)
    logged.redactor.add(KEY)
    try:
        raise ValueError(f"bad key {KEY}")
    except ValueError:
        logged.log.exception(f"in text {KEY}, as %s and %r", KEY, {"key": KEY}, extra={"x": KEY})

    assert KEY not in logged.text
    assert "0123456789" not in logged.text
    assert MASK in logged.text


def test_a_secret_in_an_address_is_masked(logged: Logged) -> None:
    logged.redactor.add(KEY)
    logged.log.info("GET https://x/?key=sk-live%2F0123456789%2Babc")

    assert logged.line["message"] == f"GET https://x/?key={MASK}"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    redactor = Redactor()
    redactor.add("abcdef")
    redactor.add("abcdef-ghijkl")

    assert redactor.redact("x abcdef-ghijkl y abcdef") == f"x {MASK} y {MASK}"


@calm
@given(st.text(max_size=30), st.text(min_size=6, max_size=30), st.text(max_size=30))
def test_no_secret_survives(before: str, secret: str, after: str) -> None:
    redactor = Redactor()
    redactor.add(secret)

    assert secret not in redactor.redact(before + secret + after).replace(MASK, "")


def test_a_very_short_secret_does_not_mask_words() -> None:
    redactor = Redactor()
    redactor.add("")
    redactor.add("the")

    assert redactor.redact("the end") == "the end"


def test_a_redactor_does_not_show_what_it_hides() -> None:
    redactor = Redactor()
    redactor.add(KEY)

    assert "live" not in repr(redactor)


def test_a_lone_surrogate_does_not_fail_a_line(logged: Logged) -> None:
    logged.log.info("model %s", "x\ud800")

    assert logged.line["message"] == "model x?"
