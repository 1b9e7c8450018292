"""Telemetry's settings."""

from __future__ import annotations

from sidecar.telemetry import Settings, resource_attributes


def test_without_an_endpoint_telemetry_is_off() -> None:
    assert not Settings().enabled
    assert Settings(endpoint="http://localhost:4317").enabled


def test_resource_attributes_are_read_and_decoded() -> None:
    text = "k8s.pod.name=shop-1, k8s.namespace.name = prod ,note=a%2Cb%3Dc"

    assert resource_attributes(text) == (
        ("k8s.pod.name", "shop-1"),
        ("k8s.namespace.name", "prod"),
        ("note", "a,b=c"),
    )


def test_a_part_that_is_no_pair_is_ignored() -> None:
    assert resource_attributes("nonsense,=x,a=1") == (("a", "1"),)


def test_the_settings_show_no_header_in_their_repr() -> None:
    settings = Settings(endpoint="http://x:4317", headers=(("authorization", "Bearer secret"),))

    assert "secret" not in repr(settings)
