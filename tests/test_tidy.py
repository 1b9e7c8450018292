"""The house rules over the whole tree, so that nobody has to remember them in a review.

What ruff, mypy and import-linter check is not checked again here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from sidecar.providers.replay import NAMES
from sidecar.providers.table import DIALECTS
from tests.providers.recorded import Recording, recordings

ROOT = Path(__file__).resolve().parent.parent
CODE = ("sidecar", "clients/python", "tests", "bench", "proto", "requirements")
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
# Folders that tools fill; nothing in them was written by hand.
SKIPPED = frozenset({"node_modules", "__pycache__", "build", "dist", "target", "recordings"})
TEXTS = frozenset(
    {".py", ".pyi", ".md", ".toml", ".yaml", ".yml", ".proto", ".go", ".ts", ".java", ".rs"}
    | {".cc", ".cpp", ".h", ".sh", ".lua", ".mod", ".cfg", ".ini", ".txt", ".service"}
)

MOST_FUNCTION_LINES = 60
MOST_FILE_LINES = 400
MOST_COLUMNS = 100
CLOCK = "sidecar/core/clock.py"
STARTED = re.compile(r"^if __name__ == .__main__.:", re.MULTILINE)

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
# Also a status of gRPC, which clients and telemetry must know by name; no door may answer it.
UNIMPLEMENTED = re.compile(r"\bUNIMPLEMENTED\b")
LINE_NUMBER = re.compile(r"[\w/]\.(?:py|proto|go|ts|rs|java|cc|lua)(?::\d+|#L\d+)|\blines? \d+\b")
# Home folders and check-outs; `/home/nonroot` is the user of distroless images.
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:work|root|Users|home(?!/nonroot\b))/\w")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def files(*under: str, ending: str = "") -> Iterator[Path]:
    """Hand-written files below `under`, in order."""
    for top in under:
        for path in sorted((ROOT / top).rglob(f"*{ending}")):
            parts = path.relative_to(ROOT).parts
            hidden = any(part.startswith(".") or part in SKIPPED for part in parts)
            if path.is_file() and not hidden and not GENERATED.search(path.name):
                yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


def sources() -> list[Path]:
    return list(files(*CODE, ending=".py"))


def documents() -> list[Path]:
    roots = [path for path in ROOT.glob("*.md") if path.is_file()]
    folders = ("docs", "clients", "bench", "deploy", "tests", "sidecar", "proto")
    return roots + list(files(*folders, ending=".md"))


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Where `pattern` stands, as file and line number, for the message of a failed test."""
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path in paths
        if pattern.search(text(path))
        for number, line in enumerate(text(path).splitlines(), 1)
        if pattern.search(line)
    ]


# -- size ------------------------------------------------------------------------------------


def test_no_function_is_longer_than_sixty_lines() -> None:
    too_long = [
        f"{name(path)}: {node.name} has {lines} lines"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    ]
    assert not too_long


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    too_long = [name(p) for p in sources() if len(text(p).splitlines()) > MOST_FILE_LINES]
    assert not too_long


def test_no_line_is_wider_than_a_hundred_columns() -> None:
    assert not found(re.compile(rf"^.{{{MOST_COLUMNS + 1},}}$"), sources())


# -- rooms -----------------------------------------------------------------------------------


def packages() -> list[Path]:
    return list(files("sidecar", ending="__init__.py"))


@pytest.mark.parametrize("package", packages(), ids=name)
def test_a_package_says_what_belongs_there_and_what_does_not(package: Path) -> None:
    says = (ast.get_docstring(tree(package)) or "").lower()
    assert "belongs here" in says
    assert "does not" in says


def test_every_module_is_imported_by_something() -> None:
    """By the product, not only by its tests; `testing` is there for tests too."""
    paths = list(files("sidecar", ending=".py"))
    users = list(files("tests", ending=".py"))
    imported = {target for path in paths for target in imports(path)}
    tested = {target for path in users for target in imports(path)}
    imported |= {module for module in tested if module.startswith("sidecar.testing")}
    modules = [dotted(path) for path in paths if not STARTED.search(text(path))]
    assert not [module for module in modules if module not in imported]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that `path` names in an import, and the packages around it."""
    for node in ast.walk(tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
        for one in names:
            if one != dotted(path):
                yield from prefixes(one)


def prefixes(module: str) -> Iterator[str]:
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


# -- time and unfinished work ----------------------------------------------------------------


def test_nobody_silences_the_ban_on_clocks() -> None:
    silenced = found(re.compile(r"noqa:.*TID251|ruff: noqa"), sources())
    assert not [place for place in silenced if not place.startswith(("tests/test_tidy.py", CLOCK))]


def test_nothing_is_left_unfinished() -> None:
    paths = [p for p in files("sidecar", "clients", "proto") if p.suffix in TEXTS]
    assert not found(UNFINISHED, paths)
    doors = [path for path in paths if name(path).startswith(("sidecar/server/", "proto/"))]
    assert not found(UNIMPLEMENTED, doors)


def collected() -> list[Path]:
    """Everything under `tests` that pytest runs or imports; measuring scripts are neither."""
    scripts = {p for p in files("tests", ending=".py") if STARTED.search(text(p))}
    return [path for path in files("tests", ending=".py") if path not in scripts]


@pytest.mark.parametrize("path", collected(), ids=name)
def test_a_test_never_sleeps_outside_virtual_time(path: Path) -> None:
    # The failure card is about real time: its scenarios are callers who pause, as the card says.
    if path.is_relative_to(ROOT / "tests" / "faults"):
        return
    if any(module.startswith("sidecar.testing.virtual") for module in imports(path)):
        return
    calls = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
    assert not [call.lineno for call in calls if sleeps(call)]


def sleeps(call: ast.Call) -> bool:
    """`sleep(0)` only lets others run; a constant above that makes a test depend on speed."""
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called != "sleep" or not call.args:
        return False
    first = call.args[0]
    return isinstance(first, ast.Constant) and bool(first.value)


# -- documents -------------------------------------------------------------------------------


def test_no_document_names_a_line_number() -> None:
    """They are wrong after the next commit."""
    assert not found(LINE_NUMBER, documents())


@pytest.mark.parametrize("document", documents(), ids=name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    prose = FENCE.sub("", text(document))
    broken = [
        link
        for link in LINK.findall(prose)
        if "://" not in link
        and not link.startswith(("#", "mailto:"))
        and not (document.parent / link.split("#")[0]).exists()
    ]
    assert not broken


def test_no_path_of_a_developers_machine_is_left() -> None:
    folders = (*CODE, "clients", "deploy", "docs")
    roots = [path for path in ROOT.glob("*") if path.is_file()]
    paths = roots + [p for p in files(*folders) if p.suffix in TEXTS]
    here = Path(__file__).resolve()
    assert not found(MACHINE_PATH, [p for p in paths if p != here and p.suffix in {*TEXTS, ""}])


def test_the_changelog_keeps_its_shape() -> None:
    """Keep a Changelog: a title, an Unreleased part, then versions with dates, newest first."""
    path = ROOT / "CHANGELOG.md"
    if not path.exists():
        return
    lines = text(path).splitlines()
    heads = [line for line in lines if line.startswith("## ")]
    kinds = {line for line in lines if line.startswith("### ")}
    assert lines[0] == "# Changelog"
    assert heads[:1] == ["## [Unreleased]"]
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", h) for h in heads[1:])
    known = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    assert kinds <= {f"### {kind}" for kind in known}


# -- recordings ------------------------------------------------------------------------------


@cache
def recorded() -> dict[str, list[Recording]]:
    by_dialect: dict[str, list[Recording]] = {dialect: [] for dialect in DIALECTS}
    for recording in recordings("stream", "error", "sync"):
        by_dialect[NAMES.get(recording.dialect, recording.dialect)].append(recording)
    return by_dialect


# No public traffic is known of these; their own test files write the streams themselves.
NEVER_RECORDED = {"typed-event": "tests/providers/test_typed_event.py"}


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - set(NEVER_RECORDED)))
def test_every_dialect_has_recordings_of_a_stream(dialect: str) -> None:
    assert [one.id for one in recorded()[dialect] if one.kind == "stream"]


@pytest.mark.parametrize("dialect", sorted(NEVER_RECORDED))
def test_a_dialect_that_nobody_recorded_is_tested_by_hand(dialect: str) -> None:
    assert not recorded()[dialect], "there are recordings now: take it out of the table"
    assert (ROOT / NEVER_RECORDED[dialect]).exists()
