"""`headway check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.home import KEYS, SECRET, Home, config

pytestmark = pytest.mark.process
NO_PROVIDER = "http://127.0.0.1:9"


def test_it_says_what_a_configuration_means(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))

    done = home.run("check", extra=KEYS)

    assert done.code == 0
    assert "key n1: from environment variable NORTH_KEY, readable" in done.out
    assert "600 per 60 s with burst 600 lets 1200 through in the first 60 s" in done.out
    assert "costs 0.15 in, 0.003 where cached, 0.6 out, USD per million tokens" in done.out
    assert SECRET not in done.both
    assert not (home.folder / "ledger.db").exists()


def test_a_key_that_cannot_be_read_is_a_warning_while_another_can(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))

    done = home.run("check", extra={"NORTH_KEY": SECRET})

    assert done.code == 0
    assert "!       key s1: environment variable SOUTH_KEY is not set" in done.out


def test_without_any_key_it_cannot_be_used(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))

    done = home.run("check")

    assert (done.code, done.out) == (2, "")
    assert "providers.south.accounts.s.keys.s1: environment" in done.err


def test_all_mistakes_are_told_at_once(home: Home) -> None:
    home.write("listen: [nowhere]\nledger: {keep: x}\nroutes: {r: {targets: [p/m]}}")

    done = home.run("check")

    assert done.code == 2
    assert [line.split(":")[0].strip() for line in done.err.splitlines()[1:]] == [
        "ledger.keep",
        "listen[0]",
        "providers",
        "routes.r.targets[0]",
    ]


def test_an_address_for_the_whole_network_must_be_meant(home: Home) -> None:
    home.write(config(home, NO_PROVIDER).replace("listen: [", "listen: ['0.0.0.0:7410', "))

    done = home.run("check", extra=KEYS)

    assert done.code == 2
    assert "listen[0]: 0.0.0.0:7410 is not loopback" in done.err


@pytest.mark.parametrize(("text", "why"), [(None, "cannot read"), ("x", "no certificates in PEM")])
def test_a_certificate_file_that_is_none_is_told(home: Home, text: str | None, why: str) -> None:
    ca_file = home.folder / "ca.pem"
    if text is not None:
        ca_file.write_text(text)
    with_ca = config(home, NO_PROVIDER).replace("south:\n", f"south:\n    ca_file: {ca_file}\n")
    home.write(with_ca)

    done = home.run("check", extra=KEYS)

    assert done.code == 2
    assert f"providers.south.ca_file: {'' if text is None else ca_file}" in done.err
    assert why in done.err


def test_a_file_that_is_not_there_is_told(home: Home) -> None:
    done = home.run("check", "--config", "nope.yaml")

    assert (done.code, "cannot read nope.yaml: No such file" in done.err) == (2, True)


def test_the_examples_for_deployment_can_be_used(
    home: Home, request: pytest.FixtureRequest
) -> None:
    key = home.write(SECRET, "key")
    examples = sorted((Path(request.config.rootpath) / "deploy").glob("**/headway.yaml"))
    for place, example in enumerate(examples):
        home.write(re.sub(r"file: [^},]+", f"file: {key}", example.read_text()), f"{place}.yaml")

    done = [home.run("check", "--config", f"{place}.yaml") for place in range(len(examples))]
    assert [(one.code, one.err) for one in done] == [(0, "")] * len(examples)
    assert examples


def test_without_a_file_it_prints_the_route_that_the_keys_found_make(home: Home) -> None:
    done = home.run("check", extra={"OPENAI_API_KEY": SECRET, "DEEPSEEK_API_KEY": SECRET})

    assert done.code == 0
    route = done.out[done.out.index("default: a stream") :]
    assert route.index("deepseek/deepseek-v4-pro") < route.index("openai/gpt-5.4")
    assert SECRET not in done.both
