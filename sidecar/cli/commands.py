"""The commands and their options. Each hands over at once and imports what it needs itself."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from headway import Client

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


class Effort(StrEnum):
    """How much a model shall think."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    MAX = "max"


class Interrupted(StrEnum):
    """What may happen when a stream breaks after text was delivered."""

    RESUME = "resume"
    RESTART = "restart"
    FAIL = "fail"


def _duration(text: str | None) -> str | None:
    """A duration as text, in seconds."""
    from sidecar.config.durations import seconds

    try:
        return None if text is None else str(seconds(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration. Default: $HEADWAY_CONFIG, ./headway.yaml, "
        "/etc/headway/headway.yaml, or the providers' usual environment variables alone.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="ADDRESS",
        help="The daemon. Default: $HEADWAY_TARGET, what ./headway.yaml listens on, or "
        "unix:///run/headway/headway.sock.",
    ),
]


def _client(target: str | None) -> tuple[Client, str]:
    from sidecar.cli.target import client_for

    return client_for(target, os.environ)


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
def chat(
    text: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="A route, or provider/model.")] = "default",
    target: Target = None,
    system: Annotated[str, typer.Option(help="A system message to begin with.")] = "",
    reasoning: Annotated[Effort | None, typer.Option(help="How much to think.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most output tokens, reasoning included.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(callback=_duration, help="The deadline, such as 30s.")
    ] = None,
    on_interruption: Annotated[
        Interrupted | None, typer.Option(help="When a stream breaks after text came.")
    ] = None,
    caller: Annotated[str, typer.Option(help="Who pays: the name in the ledger.")] = "",
    plain: Annotated[bool, typer.Option(help="The answer alone, once it is whole.")] = False,
) -> None:
    """Stream one completion from a running daemon.

    Where standard output is no terminal it gets the answer alone, once it is whole; everything
    else goes to standard error. Exit codes: 0 a whole answer, 1 none, 2 a request that cannot be,
    75 none now, but asking again later makes sense.
    """
    from sidecar.cli import chat as command

    given: Any = {
        "reasoning": reasoning.value if reasoning else None,
        "max_tokens": max_tokens,
        "on_interruption": on_interruption.value if on_interruption else None,
        "caller": caller or None,
    }
    question = command.Question(
        text=sys.stdin.read() if text == "-" else text,
        model=model,
        system=system,
        timeout_s=None if timeout is None else float(timeout),
        options=given,
    )
    client, address = _client(target)
    with client:
        command.run(client, address, question, plain)


@app.command()
def check(config: ConfigFile = None) -> None:
    """Check a configuration and print what it means. Exit code 2 if it cannot be used."""
    from sidecar.cli.check import run

    run(config, os.environ)


@app.command()
def status(
    target: Target = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, once a second.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON, one line for each state, nothing left out.")
    ] = False,
) -> None:
    """Print what a daemon does, and for everything that has to wait until when and why."""
    from sidecar.cli.status import run

    client, address = _client(target)
    with client:
        run(client, address, watch, as_json)


@app.command()
def top(target: Target = None) -> None:
    """Watch a daemon live: targets, keys, limits, queues, the cost of the last minute. q quits."""
    from sidecar.cli.top import run

    client, address = _client(target)
    with client:
        run(client, address)


@app.command()
def usage(
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="24h, or a date or time (UTC).")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="As --since.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="GROUPS",
            help="With commas: caller, provider, model, key, outcome, hour, day, label:NAME.",
        ),
    ] = "provider,model",
    caller: Annotated[str, typer.Option(help="Of this caller alone.")] = "",
    provider: Annotated[str, typer.Option(help="Of this provider alone.")] = "",
    model: Annotated[str, typer.Option(help="Of this model alone.")] = "",
    key: Annotated[str, typer.Option(help="Of this key alone.")] = "",
    ledger: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Read this ledger file; no daemon has to run."),
    ] = None,
    target: Target = None,
) -> None:
    """Print what was spent, from a daemon or from its ledger file."""
    from sidecar.cli import usage as command
    from sidecar.core.clock import system_wall_ns

    now_ns = system_wall_ns()
    asked = command.Asked(
        since_ns=command.moment_from(since, now_ns),
        until_ns=command.moment_from(until, now_ns),
        groups=command.groups_from(by),
        caller=caller,
        provider=provider,
        model=model,
        key=key,
    )
    if ledger is not None:
        command.from_file(ledger, asked)
        return
    client, address = _client(target)
    with client:
        command.from_daemon(client, address, asked)


@app.command()
def models(target: Target = None) -> None:
    """Print the routes and targets that a daemon may be asked for."""
    from sidecar.cli.listing import models as run

    client, address = _client(target)
    with client:
        run(client, address)


@app.command()
def providers() -> None:
    """Print the providers that are built in: a configuration needs only keys for them."""
    from sidecar.cli.listing import providers as run

    run()


@app.command()
def reload(target: Target = None) -> None:
    """Let a daemon read its configuration and keys anew. Exit code 2 if it refuses them."""
    from sidecar.cli.operate import reload as run

    client, address = _client(target)
    with client:
        run(client, address)


@app.command()
def drain(
    target: Target = None,
    grace: Annotated[
        str | None, typer.Option(callback=_duration, help="For running requests, such as 25s.")
    ] = None,
) -> None:
    """Let a daemon finish what it does, take nothing new, and end."""
    from sidecar.cli.operate import drain as run

    client, address = _client(target)
    with client:
        run(client, address, None if grace is None else float(grace))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib import metadata

    typer.echo(f"headway {metadata.version('headway')}")


@app.command()
def demo(
    plain: Annotated[bool, typer.Option(help="Plain lines, as if there were no terminal.")] = False,
) -> None:
    """Show the main job live: streams, a dying provider, a waited-out 429, the ledger.

    Starts a fake provider and a daemon of its own and ends by itself. With DEEPSEEK_API_KEY the
    conversation is with DeepSeek itself. Exit code 1 if anything shown does not hold.
    """
    from sidecar.cli.demo.play import play

    raise typer.Exit(play(plain))


@app.command("fake-provider")
def fake_provider(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port; 0 for any that is free.")] = 7420,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SECRET[@ACCOUNT]", help="A key; without any, all are good."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            "--limits",
            metavar="KIND:DIMENSION:AMOUNT/SECONDS",
            help="A limit it enforces, such as bucket:requests:60/60 or concurrency:5.",
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=IN/OUT[/CACHED]", help="USD for a million tokens."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=BEHAVIOUR", help="Another name for a behaviour."),
    ] = None,
    pace_ms: Annotated[float, typer.Option(help="Milliseconds between two tokens.")] = 15.0,
    listing: Annotated[
        bool, typer.Option("--list", help="Print what a model's name can say, and end.")
    ] = False,
) -> None:
    """Run a fake provider: scripted answers, real limits, faults by model name, log and bill."""
    from sidecar.cli.fake import run

    run(host, port, key, limit, price, model, pace_ms, listing)
