"""Every input that a fuzzer once found interesting; `make fuzz` finds new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.providers.table import DIALECTS
from tests.providers.fuzzing import check

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(CORPUS.glob("*/*"))


def test_every_dialect_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(DIALECTS)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_kept_input_is_survived(path: Path) -> None:
    check(path.parent.name, path.read_bytes())
