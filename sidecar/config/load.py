"""Reading the file: every problem is found in one go, each with its path and what was expected."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import yaml

from sidecar.config.schema import (
    Account,
    Config,
    KeySource,
    Limit,
    Model,
    Provider,
    RouteConfig,
)

T = TypeVar("T")
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
    """The configuration in `text` (YAML). Raises BadConfig. Shapes only; see `check` for sense."""
    reader = _Reader()
    config = reader.config(_document(text))
    if reader.problems or config is None:
        raise BadConfig(sorted(reader.problems))
    return config


def version_of(text: str) -> str:
    """A short name for this very text; changes whenever the content does."""
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


class _UniqueKeys(yaml.SafeLoader):
    """YAML forgives a key that stands twice; a configuration should not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise BadConfig([Problem("", f"line {line}: {key!r} stands twice")])
            seen.add(key)
        return super().construct_mapping(node, deep)


def _document(text: str) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise BadConfig([Problem("", f"is larger than {MOST_BYTES} bytes")])
    try:
        raw = yaml.load(text, Loader=_UniqueKeys)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadConfig([Problem("", f"is not YAML: {error}")]) from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise BadConfig([Problem("", "expected a mapping at the top")])
    return raw


class _Reader:
    """Converts section by section, so that one problem does not hide the next."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def config(self, raw: dict[str, Any]) -> Config | None:
        sections = {
            "providers": self._each(raw.get("providers"), "providers", self._provider),
            "routes": self._each(raw.get("routes"), "routes", self._route),
        }
        rest = {name: value for name, value in raw.items() if name not in sections}
        plain = self._convert(rest, Config, "")
        if plain is None:
            return None
        return msgspec.structs.replace(plain, **sections)

    def _provider(self, raw: Any, path: str) -> Provider | None:
        if not isinstance(raw, dict):
            self._wrong(path, "expected a mapping")
            return None
        parts = {
            "accounts": self._each(raw.get("accounts"), f"{path}.accounts", self._account),
            "models": self._each(raw.get("models"), f"{path}.models", self._model),
        }
        rest = {name: value for name, value in raw.items() if name not in parts}
        plain = self._convert(rest, Provider, path)
        return None if plain is None else msgspec.structs.replace(plain, **parts)

    def _account(self, raw: Any, path: str) -> Account | None:
        if not isinstance(raw, dict):
            self._wrong(path, "expected a mapping with keys and limits")
            return None
        for name in raw.keys() - {"keys", "limits"}:
            self._wrong(f"{path}.{name}", "unknown field; known are keys, limits")
        return Account(
            keys=self._list(raw.get("keys"), KeySource, f"{path}.keys"),
            limits=self._list(raw.get("limits"), Limit, f"{path}.limits"),
        )

    def _model(self, raw: Any, path: str) -> Model | None:
        return self._convert({} if raw is None else raw, Model, path)

    def _route(self, raw: Any, path: str) -> RouteConfig | None:
        return self._convert(raw, RouteConfig, path)

    def _each(self, raw: Any, path: str, read: Any) -> dict[str, Any]:
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            self._wrong(path, "expected a mapping")
            return {}
        found = {str(name): read(value, f"{path}.{name}") for name, value in raw.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _list(self, raw: Any, kind: type[T], path: str) -> tuple[T, ...]:
        if raw is None:
            return ()
        if not isinstance(raw, list):
            self._wrong(path, "expected a list")
            return ()
        found = [self._convert(item, kind, f"{path}[{i}]") for i, item in enumerate(raw)]
        return tuple(item for item in found if item is not None)

    def _convert(self, raw: Any, kind: type[T], path: str) -> T | None:
        try:
            return msgspec.convert(raw, kind, str_keys=True)
        except msgspec.ValidationError as error:
            text = str(error)
            where = re.search(r" - at `\$?([^`]*)`$", text)
            inner = where.group(1) if where else ""
            self._wrong((path + inner).lstrip("."), re.sub(r" - at `[^`]*`$", "", text))
            return None

    def _wrong(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message[:1].lower() + message[1:]))


def from_environment(environment: Mapping[str, str], key_envs: Mapping[str, str]) -> Config:
    """The configuration of a user who wrote none: a provider for each key found.

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
        }
    )
