"""Reading the file."""

from __future__ import annotations

import pytest

from sidecar.config.load import MOST_BYTES, BadConfig, from_environment, parse, version_of
from sidecar.config.schema import Config, LedgerConfig
from tests.config.making import GOOD, problems

ENVS = {"deepseek": "DEEPSEEK_API_KEY", "openai": "OPENAI_API_KEY", "local": ""}


def told(text: str) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_has_all_defaults() -> None:
    assert parse("") == Config()


def test_the_good_file_is_read() -> None:
    config = parse(GOOD)

    assert config.providers["deepseek"].accounts["team-a"].keys[1].file == "/run/secrets/two"


def test_mistakes_in_several_sections_are_told_at_once() -> None:
    text = """
    listen: nowhere
    ledger: {path: 7, kept: 3d}
    server: {socket_mode: 0660}
    telemetry: {sample_ratio: half}
    providers: {p: {accounts: {a: {keys: [{env: K}], limit: []}}, models: {m: {tools: 1}}}}
    routes: {r: {}, s: {targets: [a/b], on_interruption: weep}}
    """

    assert told(text) == [
        "ledger.kept: unknown field; known are path, keep",
        "ledger.path: expected a text: put it in quotes",
        "listen: expected a list",
        "providers.p.accounts.a.keys[0].name: is missing",
        "providers.p.accounts.a.limit: unknown field; known are keys, limits",
        "providers.p.models.m.tools: expected true or false",
        "routes.r.targets: is missing",
        "routes.s.on_interruption: expected one of resume, restart, fail",
        "server.socket_mode: expected a text: put it in quotes",
        "telemetry.sample_ratio: expected a number, without quotes",
    ]


def test_a_key_that_stands_twice_is_told_with_its_line_beside_other_mistakes() -> None:
    assert told("store: memory\nstore: memory\nhealth: 1\n") == [
        "the file: line 2: 'store' stands twice",
        "health: expected a text: put it in quotes",
    ]


def test_a_key_that_is_no_name_is_told() -> None:
    (line,) = told("? [a, b]\n: 1\n")

    assert line == "the file: line 1, column 3: is not YAML: found unhashable key"


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text", "42"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert told(text) == ["the file: expected a mapping at the top"]


def test_broken_yaml_is_told_by_line_without_its_text() -> None:
    text = "providers:\n  p: {headers: {authorization: sk-planted-12345}\n  q: [\n"

    (line,) = told(text)

    assert line.startswith("the file: line 3, column ")
    assert "sk-planted" not in line


@pytest.mark.parametrize("text", ["a: " + "[" * 5_000, "a: !python/object:os.system {}", "a: \0"])
def test_hostile_yaml_is_a_typed_error(text: str) -> None:
    assert "is not YAML" in told(text)[0]


def test_a_huge_file_is_refused_unread() -> None:
    assert told("#" * (MOST_BYTES + 1)) == [f"the file: is larger than {MOST_BYTES} bytes"]


def test_the_version_follows_the_content() -> None:
    assert version_of("a") == version_of("a") != version_of("b")


def test_without_a_file_each_key_in_the_environment_is_a_provider() -> None:
    config = from_environment({"OPENAI_API_KEY": "sk-x", "HOME": "/"}, ENVS)

    (account,) = config.providers["openai"].accounts.values()
    assert (list(config.providers), account.keys[0].env) == (["openai"], "OPENAI_API_KEY")


def test_a_provider_without_a_usual_variable_is_not_found_in_the_environment() -> None:
    config = from_environment({"": "x", "DEEPSEEK_API_KEY": "sk-y"}, ENVS)

    assert list(config.providers) == ["deepseek"]


def test_without_file_and_key_it_says_which_variables_would_do() -> None:
    with pytest.raises(BadConfig, match="set one of DEEPSEEK_API_KEY, OPENAI_API_KEY"):
        from_environment({"DEEPSEEK_API_KEY": ""}, ENVS)


def test_a_section_left_empty_has_its_defaults() -> None:
    assert parse("ledger:\nroutes:\n").ledger == LedgerConfig()


def test_the_good_file_has_no_problem() -> None:
    assert problems(GOOD) == {}
