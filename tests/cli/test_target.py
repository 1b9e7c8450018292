"""Which daemon a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.cli.target import DEFAULT, target_for


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_given_wins() -> None:
    assert target_for("unix:///a", {"HEADWAY_TARGET": "unix:///b"}) == "unix:///a"


def test_then_the_environment() -> None:
    assert target_for(None, {"HEADWAY_TARGET": "unix:///b"}) == "unix:///b"


def test_then_what_the_configuration_here_listens_on(folder: Path) -> None:
    (folder / "headway.yaml").write_text("listen: ['unix:///c', 'h:1']")

    assert target_for(None, {}) == "unix:///c"


def test_a_configuration_without_an_address_listens_on_the_default(folder: Path) -> None:
    (folder / "headway.yaml").write_text("store: memory")

    assert target_for(None, {}) == DEFAULT


@pytest.mark.parametrize("text", ["listen: [", "listen: []", "\xff"])
def test_a_configuration_that_is_wrong_is_no_help(folder: Path, text: str) -> None:
    (folder / "headway.yaml").write_bytes(text.encode("latin-1"))

    assert target_for(None, {}) == DEFAULT


def test_without_any_of_them_it_is_the_default() -> None:
    assert target_for(None, {}) == DEFAULT
