"""The headers of a call."""

from __future__ import annotations

import pytest

from sidecar.providers import auth
from sidecar.providers.profiles import Auth, ProviderProfile, target


@pytest.mark.parametrize(
    ("style", "header"),
    [
        ("bearer", ("authorization", "Bearer k")),
        ("x-api-key", ("x-api-key", "k")),
        ("api-key", ("api-key", "k")),
        ("x-goog-api-key", ("x-goog-api-key", "k")),
        ("x-portkey-api-key", ("x-portkey-api-key", "k")),
    ],
)
def test_a_key_goes_where_its_provider_looks(style: Auth, header: tuple[str, str]) -> None:
    made = target(ProviderProfile("p", "openai-chat", "", auth=style), "m")
    assert auth.headers(made, "k", True)[-1] == header


def test_no_credential_goes_where_none_is_wanted() -> None:
    made = target(ProviderProfile("p", "openai-chat", "", auth="none"), "m")
    assert all(value != "k" for _, value in auth.headers(made, "k", True))


def test_a_profiles_own_headers_go_along() -> None:
    profile = ProviderProfile("p", "openai-chat", "", headers=(("anthropic-version", "1"),))
    assert ("anthropic-version", "1") in auth.headers(target(profile, "m"), "", True)
