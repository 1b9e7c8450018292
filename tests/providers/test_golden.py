"""What is sent, against files that were read by a human."""

from __future__ import annotations

import json

import pytest

from tests.providers.features import cases
from tests.providers.golden import FOLDER, KEY, TARGETS, golden, path_of


@pytest.mark.parametrize("name", TARGETS)
def test_every_feature_is_sent_as_the_golden_file_says(name: str) -> None:
    assert golden(name) == json.loads(path_of(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TARGETS)
def test_a_golden_file_knows_every_feature(name: str) -> None:
    assert list(json.loads(path_of(name).read_text(encoding="utf-8"))) == list(cases())


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {path_of(n).name for n in TARGETS}


def test_no_golden_file_holds_the_key() -> None:
    assert not any(KEY in path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json"))
