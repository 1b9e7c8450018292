"""The judge, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.published.install import CACHE
from tests.published.judging import Judge, judging


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    if not (CACHE / "installed").exists():
        pytest.skip("the providers' SDKs are not installed: run `make published`")
    with judging() as made:
        yield made
