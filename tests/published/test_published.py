"""Every golden body fits the types that its provider publishes, but for what the table names."""

from __future__ import annotations

import copy
import json

import pytest

from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import FEATURES
from tests.providers.golden import TARGETS, path_of
from tests.published.extensions import EXTENSIONS, Extension, for_target, without
from tests.published.install import REQUIREMENTS
from tests.published.judging import SCHEMAS, Body, Judge

pytestmark = [pytest.mark.process, pytest.mark.slow]

# Options of the caller that go into the body verbatim are the caller's own business.
VERBATIM = frozenset(FEATURES["options"].provider_options)
UNKNOWN = "a_key_that_nobody_knows"


def bodies(target: str) -> dict[str, Body]:
    """The golden bodies by feature; those that were refused have none."""
    golden = json.loads(path_of(target).read_text(encoding="utf-8"))
    sent = {name: case["body"] for name, case in golden.items() if "body" in case}
    own = {key: value for key, value in sent["options"].items() if key not in VERBATIM}
    return {**sent, "options": own}


@pytest.mark.parametrize("target", TARGETS)
def test_every_golden_body_fits_the_types_of_its_provider(judge: Judge, target: str) -> None:
    rows = for_target(target)
    told = {name: judge(target, without(body, rows)[0]) for name, body in bodies(target).items()}
    assert {name: complaints for name, complaints in told.items() if complaints} == {}


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: f"{row.targets} {row.path}")
def test_every_row_of_the_table_is_used_and_needed(judge: Judge, row: Extension) -> None:
    """A body that holds what the row names would not fit without the row."""
    told = []
    for target in TARGETS:
        rows = for_target(target)
        for body in bodies(target).values():
            if row in rows and row in without(body, rows)[1]:
                others = [other for other in rows if other is not row]
                told.append(judge(target, without(body, others)[0]))
    assert told, "no golden body holds it"
    assert all(told), "the type has it by now"


@pytest.mark.parametrize("target", TARGETS)
def test_a_key_that_no_type_has_is_reported_wherever_it_stands(judge: Judge, target: str) -> None:
    """Else a schema that tolerates everything would find everything good."""
    sent = bodies(target)
    plain = without(sent.get("tools", sent["plain"]), for_target(target))[0]
    assert judge(target, plain) == []
    assert judge(target, {**plain, UNKNOWN: 1})
    for name in {"messages", "contents", "input", "tools"} & set(plain):
        inner = copy.deepcopy(plain)
        inner[name][0][UNKNOWN] = 1
        assert judge(target, inner)


@pytest.mark.parametrize("target", TARGETS)
def test_a_value_of_the_wrong_kind_is_reported(judge: Judge, target: str) -> None:
    plain = bodies(target)["plain"]
    name = next(name for name in ("messages", "contents", "input") if name in plain)
    assert judge(target, {**plain, name: 7})


def test_every_dialect_is_held_against_published_types() -> None:
    seen = {PROFILES[target.partition("/")[0]].dialect for target in TARGETS}
    assert seen == set(DIALECTS)
    assert {target.partition("/")[0] for target in TARGETS} == set(SCHEMAS)


def test_every_package_is_pinned() -> None:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    assert all("==" in line for line in lines if not line.startswith("#"))
