"""Arguments that arrive path by path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.providers.gemini.partial_args import PartialArgs


def joined(*pieces: dict[str, Any]) -> Any:
    partial = PartialArgs(0)
    partial.add(list(pieces))
    return json.loads(partial.json())


def test_strings_at_one_path_are_joined() -> None:
    pieces = [{"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": "$.a", "stringValue": "y"}]
    assert joined(*pieces) == {"a": "xy"}


def test_quoted_names_and_nesting_are_understood() -> None:
    assert joined({"jsonPath": "$['a b'].c[0][0]", "numberValue": 1}) == {"a b": {"c": [[1]]}}


@pytest.mark.parametrize("path", ["", "$", "$[0]", "nonsense", "$.a[7]", 7, None, "$.a.", "$.[x]"])
def test_paths_that_lead_nowhere_are_survived(path: Any) -> None:
    assert isinstance(joined({"jsonPath": path, "stringValue": "x"}), dict)


def test_paths_that_contradict_each_other_are_survived() -> None:
    pieces = [{"jsonPath": "$.a", "stringValue": "x"}, {"jsonPath": "$.a.b", "numberValue": 1}]
    assert isinstance(joined(*pieces), dict)
