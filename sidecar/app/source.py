"""Where the configuration comes from: a file, or the environment where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sidecar.config.load import BadConfig, Problem, from_environment, parse, version_of
from sidecar.config.resolve import Resolved, resolve
from sidecar.providers.table import DIALECTS, PROFILES


class Text(msgspec.Struct, frozen=True):
    """Which configuration it is: where from, and its version."""

    origin: str
    version: str


class Source:
    """Reads and checks the configuration anew each time it is asked."""

    def __init__(self, path: Path | None, environment: Mapping[str, str]) -> None:
        self.path = path
        self._environment = environment

    def read(self) -> tuple[Resolved, Text]:
        """The configuration, resolved. Blocks for the file; raises BadConfig."""
        if self.path is None:
            # A provider whose address is each customer's own cannot do with a key alone.
            envs = {name: p.key_env for name, p in PROFILES.items() if p.base_url}
            config = from_environment(self._environment, envs)
            return resolve(config, PROFILES, set(DIALECTS)), Text("the environment", "environment")
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise BadConfig([Problem("", f"cannot read {self.path}: {why}")]) from None
        resolved = resolve(parse(text), PROFILES, set(DIALECTS))
        return resolved, Text(str(self.path), version_of(text))
