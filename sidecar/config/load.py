"""Reading the file: every problem is found in one go, each with its path and what was expected."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from sidecar.config.schema import Account, Config, KeySource, Provider
from sidecar.config.shape import shaped
from sidecar.config.usual import routes_of

# A configuration is written by hand; more is a mistake (or an attack on the parser). Bytes.
MOST_BYTES = 1024 * 1024


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing wrong: `path` such as providers.deepseek.accounts.a.limits[0].per, and why."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the file'}: {self.message}"


class BadConfig(Exception):
    """The file cannot be used; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def parse(text: str) -> Config:
    """The configuration in `text` (YAML). Raises BadConfig. Shapes, not sense."""
    problems: list[Problem] = []

    def tell(path: str, message: str) -> None:
        problems.append(Problem(path, message))

    config = shaped(_document(text, problems), Config, "", tell)
    if problems or config is None:
        raise BadConfig(sorted(problems))
    return config


def version_of(text: str) -> str:
    """A short name for this very text; changes whenever the content does."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


class _UniqueKeys(yaml.SafeLoader):
    """YAML forgives a key that stands twice; a configuration should not. Dates stay texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.twice: list[Problem] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in seen:
                self.twice.append(Problem("", f"line {line}: {key!r} stands twice"))
            seen.add(key)
        return super().construct_mapping(node, deep)


def _document(text: str, problems: list[Problem]) -> dict[str, Any]:
    """The YAML as plain data; {} for an empty file. Raises BadConfig if it is no mapping."""
    if len(text) > MOST_BYTES:
        raise BadConfig([Problem("", f"is larger than {MOST_BYTES} bytes")])
    try:
        loader = _UniqueKeys(text)
        raw = loader.get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadConfig([Problem("", _not_yaml(error))]) from None
    problems.extend(loader.twice)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise BadConfig([Problem("", "expected a mapping at the top")])
    return raw


def _not_yaml(error: Exception) -> str:
    """Where YAML's grammar is broken. Without the text there: it may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: is not YAML: {error.problem}"
    return "is not YAML, or nested too deep"


def from_environment(environment: Mapping[str, str], key_envs: Mapping[str, str]) -> Config:
    """The configuration of a user who wrote none: a provider for each key found, and the route
    `default` over their usual models.

    `key_envs` pairs providers with the environment variable of their key. Raises BadConfig if no
    key is there at all.
    """
    found = {name: env for name, env in key_envs.items() if env and environment.get(env)}
    if not found:
        known = ", ".join(sorted({env for env in key_envs.values() if env}))
        raise BadConfig([Problem("", f"there is no file and no provider key; set one of {known}")])
    return Config(
        providers={
            name: Provider(accounts={"default": Account(keys=(KeySource(name="env", env=env),))})
            for name, env in found.items()
        },
        routes=routes_of(found),
    )
