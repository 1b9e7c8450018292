"""What is in the air, by target and by key."""

from __future__ import annotations

from sidecar.gateway.traffic import KeyUse, Traffic


def test_a_key_that_was_never_used_says_so() -> None:
    assert Traffic().key("deepseek", "a1") == KeyUse(0, 0, "")


def test_attempts_are_counted_from_lease_to_settlement() -> None:
    traffic = Traffic()
    traffic.began("deepseek/m", "deepseek", "a1", 5)
    traffic.began("deepseek/n", "deepseek", "a1", 9)
    assert traffic.key("deepseek", "a1") == KeyUse(2, 9, "")
    traffic.ended("deepseek/m", "deepseek", "a1", "")
    assert traffic.key("deepseek", "a1").in_flight == 1
    assert +traffic.targets == {"deepseek/n": 1}


def test_the_last_failure_stays_until_the_next_one() -> None:
    traffic = Traffic()
    for failure in ("RATE_LIMITED", ""):
        traffic.began("deepseek/m", "deepseek", "a1", 5)
        traffic.ended("deepseek/m", "deepseek", "a1", failure)
    assert traffic.key("deepseek", "a1").last_failure == "RATE_LIMITED"


def test_keys_of_the_same_name_at_two_providers_are_two() -> None:
    traffic = Traffic()
    traffic.began("deepseek/m", "deepseek", "a1", 5)
    assert traffic.key("openai", "a1").in_flight == 0
