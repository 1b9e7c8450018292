"""What is in the air, by target and by key."""

from __future__ import annotations

from sidecar.core.target import Phases
from sidecar.gateway.traffic import KeyUse, Traffic
from sidecar.gateway.watchdog import Stage, Watchdog
from sidecar.testing.virtual import in_virtual_time


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


@in_virtual_time
async def test_what_is_waited_for_is_told_by_target_while_it_is() -> None:
    traffic = Traffic()
    first, second = Watchdog(Phases(), 9.0), Watchdog(Phases(), 9.0)
    traffic.asks("deepseek/m", first)
    traffic.asks("deepseek/m", second)
    second.enter(Stage.ANSWER)
    stages = {wait.stage for wait in traffic.waits("deepseek/m")}
    assert stages == {Stage.HEADERS, Stage.ANSWER}
    assert traffic.waits("deepseek/n") == []
    traffic.heard("deepseek/m", first)
    assert [wait.stage for wait in traffic.waits("deepseek/m")] == [Stage.ANSWER]
    traffic.heard("deepseek/m", second)
    assert traffic.waits("deepseek/m") == []
