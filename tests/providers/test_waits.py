"""Waits, in all the ways they are written."""

from __future__ import annotations

import pytest

from sidecar.providers import waits

NOON_NS = 1_735_732_800_000_000_000  # 2025-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("48s", 48.0),
        ("34.4s", 34.4),
        ("17.399999999s", 17.399999999),
        ("0s", 0.0),
        ("2d", 172_800.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert waits.duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "12", "s", "-1s", "1s later", "1e9s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert waits.duration_s(text) is None


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 5.289s.", 5.289),
        ("Please try again in 6m0s. Visit ...", 360.0),
        ("Please try again in 120ms", 0.12),
        ("Please retry in 34.4s.", 34.4),
        ("Please wait 20 seconds before retrying", 20.0),
        ("retry after 2 minutes", 120.0),
    ],
)
def test_waits_in_words_are_read(message: str, seconds: float) -> None:
    assert waits.worded_s(message) == pytest.approx(seconds)


@pytest.mark.parametrize("message", ["", "try again later", "model-42s is wrong"])
def test_words_without_a_wait_are_none(message: str) -> None:
    assert waits.worded_s(message) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("Wed, 01 Jan 2025 12:00:30 GMT", 30.0),
        ("Wed, 01 Jan 2025 11:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("1e99", waits.MAX_WAIT_S),
        ("30s", 30.0),
    ],
)
def test_retry_after_is_read_in_every_form(value: str, seconds: float) -> None:
    assert waits.retry_after_s({"retry-after": value}, NOON_NS) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "soon", "nan", "\x00"])
def test_a_retry_after_that_is_none_is_none(value: str) -> None:
    assert waits.retry_after_s({"retry-after": value}, NOON_NS) is None


def test_the_largest_of_two_headers_counts() -> None:
    headers = {"retry-after": "1", "retry-after-ms": "2500"}
    assert waits.retry_after_s(headers, NOON_NS) == 2.5


def test_only_an_exhausted_window_counts() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "5",
        "x-ratelimit-reset-requests": "9s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert waits.reset_s(headers, NOON_NS) == 360.0


def test_a_reset_may_be_a_date() -> None:
    headers = {
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2025-01-01T12:00:45Z",
    }
    assert waits.reset_s(headers, NOON_NS) == pytest.approx(45.0)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1735732845000", 45.0), ("1735732845", 45.0), ("1735732000", 0.0), ("60", None)],
)
def test_a_reset_may_be_a_moment_of_the_unix_clock(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    assert waits.reset_s(headers, NOON_NS) == seconds


def test_no_window_no_wait() -> None:
    assert waits.reset_s({"retry-after": "2"}, NOON_NS) is None
