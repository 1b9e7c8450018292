"""Headers worth reading."""

from __future__ import annotations

from sidecar.providers.table import PROFILES
from sidecar.providers.told import Told, told_by


def test_deepseeks_trace_is_read() -> None:
    headers = {"x-ds-trace-id": "4bf270eb3120848a1292351c69346f0d"}
    assert told_by(headers, PROFILES["deepseek"]).trace == "4bf270eb3120848a1292351c69346f0d"


def test_a_litellm_proxys_cost_is_read() -> None:
    headers = {"x-litellm-response-cost": "3.7e-05", "x-litellm-call-id": "c-1"}
    assert told_by(headers, PROFILES["litellm"]) == Told("c-1", 37_000)


def test_nothing_told_is_nothing() -> None:
    assert told_by({}, PROFILES["litellm"]) == Told()
    assert told_by({"": "x"}, PROFILES["vllm"]) == Told()


def test_a_cost_that_is_none_is_none() -> None:
    assert told_by({"x-litellm-response-cost": "None"}, PROFILES["litellm"]).cost_nano_usd is None


def test_a_hostile_trace_is_cleaned() -> None:
    told = told_by({"x-ds-trace-id": "Bearer sk-abcdefgh\n" * 50}, PROFILES["deepseek"])
    assert "sk-abcdefgh" not in told.trace
