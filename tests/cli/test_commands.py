"""The commands as a whole."""

from __future__ import annotations

from importlib import metadata

import pytest
from typer.testing import CliRunner

from sidecar.cli.commands import app

COMMANDS = (
    "serve", "demo", "chat", "check", "status", "usage", "models", "providers", "reload", "drain",
    "fake-provider", "version",
)  # fmt: skip


def test_help_lists_every_command() -> None:
    text = CliRunner().invoke(app, ["--help"]).output

    assert [command for command in COMMANDS if f" {command} " not in text] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])

    assert (done.exit_code, command in done.output) == (0, True)


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["version"]).output == f"headway {metadata.version('headway')}\n"
