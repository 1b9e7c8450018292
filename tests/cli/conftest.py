"""A fake provider and a daemon for a whole file of tests: starting one costs a second."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.home import KEYS, Home, config


@pytest.fixture
def home() -> Iterator[Home]:
    """A folder of one's own; its path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="hw-") as folder:
        yield Home(Path(folder))


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """The address of a fake provider."""
    with tempfile.TemporaryDirectory(prefix="hw-") as folder:
        home = Home(Path(folder))
        with home.running("fake-provider", "--port", "0", ready="log") as fake:
            yield next(word for word in fake.said.split() if word.startswith("http://"))


@pytest.fixture(scope="module")
def served(base_url: str) -> Iterator[Home]:
    """The home of a daemon that runs."""
    with tempfile.TemporaryDirectory(prefix="hw-") as folder:
        home = Home(Path(folder))
        home.write(config(home, base_url))
        with home.running("serve", ready="ready on", extra=KEYS):
            yield home
