"""The two tables: every entry usable, every dialect recorded."""

from __future__ import annotations

import pytest

from sidecar.core.failure import Cause
from sidecar.core.request import Effort
from sidecar.providers.profiles import ProviderProfile, target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import ask
from tests.providers.recorded import NAMES, recordings

OWN_ADDRESS = {"azure", "generic", "gpustack", "typed-event"}
NEVER_RECORDED = {"typed-event"}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_listed_under_its_own_name(name: str) -> None:
    assert DIALECTS[name].name == name


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_is_recorded_or_known_not_to_be(name: str) -> None:
    recorded = {NAMES[recording.dialect] for recording in recordings("stream")}
    assert (name in recorded) != (name in NEVER_RECORDED)


def test_every_recorded_provider_is_in_the_table() -> None:
    assert {r.provider for r in recordings("stream", "sync", "error")} - set(PROFILES) == set()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_profile_can_be_spoken_to(profile: ProviderProfile) -> None:
    made = target(profile, "some-model")
    call = DIALECTS[profile.dialect].encode(ask(), made, None, "k", True)
    assert call.path.startswith("/")
    assert call.body.startswith(b"{")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_model_of_a_profile_has_sound_overrides(profile: ProviderProfile) -> None:
    for pattern, _ in profile.models:
        name = pattern.replace("*", "x").replace("[0-9]", "3").replace("[2-9]", "4")
        assert target(profile, name.replace("[01]", "1")).quirks is not None


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_every_profile_has_an_address_or_leaves_it_to_the_user(profile: ProviderProfile) -> None:
    assert bool(profile.base_url) != (profile.name in OWN_ADDRESS)
    assert not profile.base_url.endswith("/")


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_efforts_and_causes_are_known_words(profile: ProviderProfile) -> None:
    efforts = {effort.value for effort in Effort}
    for model in (profile.default_model, *(model for _, model in profile.models)):
        quirks = {**{"efforts": profile.quirks.efforts}, **model.quirks}
        assert set(quirks["efforts"]) <= efforts
    assert set(profile.quirks.error_causes.values()) <= {cause.name for cause in Cause}
    assert all(code == code.lower() for code in profile.quirks.error_causes)


def test_deepseek_may_queue_for_ten_minutes() -> None:
    assert PROFILES["deepseek"].timeouts.first_event_s == 600.0


def test_one_key_in_the_environment_is_one_provider() -> None:
    named = [profile.key_env for profile in PROFILES.values() if profile.key_env]
    assert len(named) == len(set(named))
