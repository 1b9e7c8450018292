"""The names, against two tables written down apart from the code: `v1.41` and `latest`."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, rpc_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics, rpc_metrics
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)

from sidecar.telemetry import semconv
from sidecar.telemetry.semconv import Kind

H, C = Kind.HISTOGRAM, Kind.COUNTER

# The table of the conventions at v1.41.
V1_41 = {
    "gen_ai.client.operation.duration": ("s", H, semconv.SECONDS),
    "gen_ai.client.operation.time_to_first_chunk": ("s", H, semconv.SECONDS),
    "gen_ai.client.operation.time_per_output_chunk": ("s", H, semconv.SECONDS),
    "gen_ai.client.token.usage": ("{token}", H, semconv.TOKENS),
}
# The table of semantic-conventions-genai's main branch.
LATEST = {
    "gen_ai.client.inference.duration": ("s", H, semconv.SECONDS),
    "gen_ai.client.inference.time_to_first_chunk": ("s", H, semconv.SECONDS),
    "gen_ai.client.inference.time_per_output_chunk": ("s", H, semconv.SECONDS),
    "gen_ai.client.inference.usage.input_tokens": ("{token}", C, None),
    "gen_ai.client.inference.usage.output_tokens": ("{token}", C, None),
    "gen_ai.client.inference.usage.cache_read.input_tokens": ("{token}", C, None),
    "gen_ai.client.inference.usage.cache_write.input_tokens": ("{token}", C, None),
    "gen_ai.client.inference.usage.reasoning.output_tokens": ("{token}", C, None),
    "gen_ai.client.inference.operation.input_tokens": ("{token}", H, semconv.TOKENS),
    "gen_ai.client.inference.operation.output_tokens": ("{token}", H, semconv.TOKENS),
}
FOREIGN = ("gen_ai.server.", "gen_ai.system")


def table(profile: semconv.Profile) -> dict[str, tuple[str, Kind, tuple[float, ...] | None]]:
    """What the code says, in the form of the tables above."""
    bounds = {
        (family.name, measure): limits
        for family in semconv.FAMILIES
        for measure, limits in family.histograms
    }
    return {
        made.name: (made.unit, made.kind, bounds.get((made.family, made.measure)))
        for made in profile.instruments
    }


def test_v1_41_is_the_conventions_table() -> None:
    assert table(semconv.V1_41) == V1_41


def test_latest_is_the_conventions_table() -> None:
    assert table(semconv.LATEST) == LATEST


def test_bounds_are_the_conventions() -> None:
    assert (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28),
        *(2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    ) == semconv.SECONDS
    assert semconv.TOKENS[0] == 1
    assert semconv.TOKENS[-1] == 67108864
    assert len(semconv.TOKENS) == 14


@pytest.mark.parametrize(
    ("opt_in", "names"),
    [
        ("", ["v1.41"]),
        ("http,rpc", ["v1.41"]),
        ("gen_ai_latest_experimental", ["latest"]),
        (" http , gen_ai_latest_experimental ", ["latest"]),
        ("gen_ai_latest_experimental/dup", ["v1.41", "latest"]),
    ],
)
def test_the_opt_in_selects_the_generation(opt_in: str, names: list[str]) -> None:
    assert [profile.name for profile in semconv.profiles(opt_in)] == names


def test_names_that_the_packages_know_are_theirs() -> None:
    known = {
        value
        for module in (
            *(gen_ai_attributes, gen_ai_metrics, rpc_attributes, rpc_metrics, error_attributes),
            *(http_attributes, network_attributes, server_attributes, url_attributes),
        )
        for value in vars(module).values()
        if isinstance(value, str)
    }
    # Newer than the packages; the conventions' main branch has them.
    newer = {
        "gen_ai.request.reasoning.level",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.token.modality",
    }
    ours = {
        value
        for value in vars(semconv).values()
        if isinstance(value, str)
        and value.startswith(("gen_ai.", "rpc.", "http.", "server.", "error.", "network.", "url."))
    }
    assert ours - newer <= known


def test_nothing_of_our_own_is_called_gen_ai() -> None:
    for instrument in semconv.OWN:
        assert instrument.name.startswith(("headway.", "rpc."))


def test_the_model_servers_metrics_are_not_ours() -> None:
    for profile in semconv.profiles("gen_ai_latest_experimental/dup"):
        assert not [made for made in profile.instruments if made.name.startswith(FOREIGN)]


def test_every_instrument_has_a_measure() -> None:
    measures = {
        (family.name, measure)
        for family in semconv.FAMILIES
        for measure in (*family.counters, *(name for name, _ in family.histograms))
    }
    for profile in semconv.profiles("gen_ai_latest_experimental/dup"):
        for made in (*profile.instruments, *semconv.OWN):
            assert (made.family, made.measure) in measures


@pytest.mark.parametrize(
    ("configured", "conventional"),
    [
        ("deepseek", "deepseek"),
        ("mistral", "mistral_ai"),
        ("gemini", "gcp.gemini"),
        ("xai", "x_ai"),
        ("mine", "mine"),
    ],
)
def test_a_provider_has_its_conventional_name(configured: str, conventional: str) -> None:
    assert semconv.provider_name(configured) == conventional


def test_all_names_live_in_one_file() -> None:
    room = Path(semconv.__file__).parent
    for file in room.glob("*.py"):
        if file.name != "semconv.py":
            code = file.read_text()
            assert '"gen_ai.' not in code, file.name
            assert '"rpc.' not in code, file.name
            assert '"http.' not in code, file.name
