"""What the documents say of the code is what the code says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from sidecar.config import schema
from sidecar.config.load import parse
from sidecar.config.resolve import FLOOR, PHASES, resolve
from sidecar.core.failure import CODES, VERDICTS, Cause, Reason
from sidecar.core.target import Phases
from sidecar.providers.profiles import Timeouts
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.server.errors import PRECONDITIONS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

SECTIONS: dict[str, type[msgspec.Struct]] = {
    "The file": schema.Config,
    "`providers.NAME`": schema.Provider,
    "`providers.NAME.accounts.NAME`": schema.Account,
    "`keys[]` and `server.caller_tokens[]`": schema.KeySource,
    "`limits[]`": schema.Limit,
    "`providers.NAME.models.PATTERN`": schema.Model,
    "`price`": schema.PriceTier,
    "`routes.NAME`": schema.RouteConfig,
    "`store`": schema.StoreConfig,
    "`callers.NAME`": schema.CallerConfig,
    "`budgets.NAME`": schema.BudgetConfig,
    "`ledger`": schema.LedgerConfig,
    "`telemetry`": schema.TelemetryConfig,
    "`server`": schema.ServerConfig,
    "`breaker`": schema.BreakerConfig,
    "`hedge`": schema.HedgeConfig,
    "`retry_budget`": schema.RetryBudgetConfig,
}


def rows(document: Path, section: str) -> Iterator[list[str]]:
    """The cells of every row of the tables in one `##` section, heads left out."""
    text = document.read_text(encoding="utf-8")
    body = re.split(rf"^## {re.escape(section)}$", text, flags=re.MULTILINE)[1]
    for line in re.split(r"^## ", body, flags=re.MULTILINE)[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            yield [cells[0].strip("`"), *cells[1:]]


def as_written(field: msgspec.structs.FieldInfo) -> str:
    """The default of a field as the document writes it."""
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT:
        return "*required*"
    if isinstance(value, msgspec.Struct):
        return "section"
    return "none" if value is None else f"`{json.dumps(value)}`"


def blocks(document: Path, language: str) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    told = {cells[0]: cells[1] for cells in rows(DOCS / "configuration.md", section)}
    fields = msgspec.structs.fields(SECTIONS[section])
    assert told == {field.encode_name: as_written(field) for field in fields}


def test_every_shape_of_the_schema_has_its_section() -> None:
    shapes = {
        value
        for value in vars(schema).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct)
    }
    assert shapes == set(SECTIONS.values())


def test_every_clock_of_an_attempt_is_documented_with_its_default() -> None:
    told = {cells[0]: cells[1] for cells in rows(DOCS / "configuration.md", "`timeouts`")}
    clocks = Timeouts()
    floor = Phases()
    known = {name: f"`{getattr(clocks, field):g}s`" for name, field in PHASES.items()
             if hasattr(clocks, field)}  # fmt: skip
    known["rate_window"] = f"`{floor.rate_window_s:g}s`"
    known[FLOOR] = f"`{floor.min_tokens_per_s:g}`"
    assert told == known


def test_every_dialect_is_named_where_it_is_configured() -> None:
    told = {cells[0]: cells[2] for cells in rows(DOCS / "configuration.md", "`providers.NAME`")}
    assert set(DIALECTS) <= set(re.findall(r"`([^`]+)`", told["dialect"]))


EXAMPLES = [
    (path, text)
    for path in (ROOT / "README.md", DOCS / "configuration.md")
    for text in blocks(path, "yaml")
] + [(path, path.read_text("utf-8")) for path in sorted((ROOT / "deploy").glob("*.yaml"))]


@pytest.mark.parametrize(("path", "text"), EXAMPLES, ids=[path.name for path, _ in EXAMPLES])
def test_every_example_of_a_configuration_is_a_good_one(path: Path, text: str) -> None:
    assert isinstance(yaml.safe_load(text), dict), path
    assert resolve(parse(text), PROFILES, set(DIALECTS)).routes


def test_every_reason_is_documented_with_its_code() -> None:
    told = {cells[0]: cells[1] for cells in rows(DOCS / "errors.md", "Reasons")}
    assert told == {reason.value: CODES[reason] for reason in Reason}


def test_every_precondition_is_documented_with_its_type() -> None:
    told = {cells[0]: cells[3] for cells in rows(DOCS / "errors.md", "Reasons")}
    types = {reason.value: kind for reason, (kind, _) in PRECONDITIONS.items()}
    assert not [
        reason for reason, kind in types.items() if not re.search(rf"\b{kind}\b", told[reason])
    ]


def test_every_cause_is_documented_with_its_verdict() -> None:
    told = {cells[0]: cells[1:] for cells in rows(DOCS / "errors.md", "Causes")}
    assert told == {
        cause.value: [VERDICTS[cause].blame.value, VERDICTS[cause].remedy.value] for cause in Cause
    }
