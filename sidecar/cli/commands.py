"""The commands and their options. Each hands over at once and imports what it needs itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(
    name="headway",
    help="A sidecar for services that call large language models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


class Style(StrEnum):
    """How the log is written."""

    CONSOLE = "console"
    JSON = "json"


class Level(StrEnum):
    """From which level on something is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration. Default: $HEADWAY_CONFIG, ./headway.yaml, "
        "/etc/headway/headway.yaml, or the providers' usual environment variables alone.",
    ),
]


@app.command()
def serve(
    config: ConfigFile = None,
    log_format: Annotated[Style, typer.Option(help="How the log is written.")] = Style.CONSOLE,
    log_level: Annotated[Level, typer.Option(help="What is logged.")] = Level.INFO,
) -> None:
    """Run the daemon. SIGTERM and SIGINT drain, a second SIGINT ends at once, SIGHUP reloads."""
    from sidecar.cli.serve import Options, run

    raise typer.Exit(run(Options(config, log_format.value, log_level.value)))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib import metadata

    typer.echo(f"headway {metadata.version('headway')}")
