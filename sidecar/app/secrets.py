"""Reading credentials: from files (mounted Secrets) or from the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sidecar.config.load import Problem
from sidecar.config.resolve import Resolved, ResolvedProvider
from sidecar.config.schema import KeySource
from sidecar.keys.ring import Key
from sidecar.keys.secret import Secret, read_secret

NO_KEY = "no-key"
NOTHING = Secret("")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


class Loaded(msgspec.Struct, frozen=True):
    """What could be read, and what not and why."""

    keys: tuple[Key, ...]
    tokens: tuple[Secret, ...]
    problems: tuple[Problem, ...]


def load(resolved: Resolved, environment: Mapping[str, str]) -> Loaded:
    """All keys and caller tokens of a configuration. Blocks for the file reads."""
    problems: list[Problem] = []
    keys = []
    for provider in resolved.providers.values():
        keys += _keyless(provider) if provider.keyless else []
        for account in provider.accounts:
            path = f"providers.{provider.name}.accounts.{account.name}.keys"
            for source in account.keys:
                secret = _read(source, environment, path, problems)
                if secret is not None:
                    key = Key(provider.name, account.name, source.name, secret, account.per_key)
                    keys.append(key)
    tokens = [
        secret
        for source in resolved.config.server.caller_tokens
        if (secret := _read(source, environment, "server.caller_tokens", problems)) is not None
    ]
    return Loaded(tuple(keys), tuple(tokens), tuple(problems))


def _keyless(provider: ResolvedProvider) -> list[Key]:
    """What stands for the key of a server that needs none: its limits and rests are a key's."""
    accounts = [(account.name, account.per_key) for account in provider.accounts]
    return [
        Key(provider.name, account, NO_KEY if place == 0 else f"{NO_KEY}-{account}", NOTHING, each)
        for place, (account, each) in enumerate(accounts or [("default", False)])
    ]


def files(resolved: Resolved) -> set[Path]:
    """Every file that holds a credential."""
    return {Path(source.file) for source in _sources(resolved) if source.file}


def _sources(resolved: Resolved) -> Iterable[KeySource]:
    for provider in resolved.providers.values():
        for account in provider.accounts:
            yield from account.keys
    yield from resolved.config.server.caller_tokens


def _read(
    source: KeySource, environment: Mapping[str, str], path: str, problems: list[Problem]
) -> Secret | None:
    where = f"{path}.{source.name}"
    if source.file:
        try:
            return read_secret(Path(source.file))
        except OSError as error:
            problems.append(Problem(where, f"cannot read {_file(source)}: {error.strerror}"))
        except ValueError:
            problems.append(
                Problem(where, f"{_file(source)} holds no key: expected one line of ASCII")
            )
        return None
    value = environment.get(source.env, "").strip()
    if not value:
        problems.append(Problem(where, f"environment variable {_variable(source)} is not set"))
        return None
    return Secret(value)


# Some write the key itself where its place should stand; what does not look like a place is
# therefore not repeated in a message.
def _file(source: KeySource) -> str:
    return source.file if source.file.startswith(("/", "./", "../")) else "the file named there"


def _variable(source: KeySource) -> str:
    return source.env if _VARIABLE.fullmatch(source.env) else "named there"
