"""Who plays in the demo."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sidecar.app.source import Source
from sidecar.cli.demo import setting


@pytest.mark.parametrize("real", [False, True])
def test_the_configuration_is_good(tmp_path: Path, real: bool) -> None:
    path = setting.write(tmp_path, "http://127.0.0.1:7420", real)

    resolved, _ = Source(path, {}).read()
    conversation = next(route for route in resolved.routes if route.name == "conversation")
    assert conversation.targets[0].name == (setting.REAL_TARGET if real else "north/sage")


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    setting.write(tmp_path, "http://127.0.0.1:7420", False)

    modes = {stat.S_IMODE((tmp_path / alias).stat().st_mode) for alias in setting.KEYS}
    assert modes == {0o600}


def test_no_key_is_in_the_configuration(tmp_path: Path) -> None:
    text = setting.write(tmp_path, "http://127.0.0.1:7420", True).read_text()

    assert [secret for secret in setting.KEYS.values() if secret in text] == []
