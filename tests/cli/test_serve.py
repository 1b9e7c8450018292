"""`headway serve`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from headway import Client
from typer.testing import CliRunner

from sidecar.cli import commands, serve
from sidecar.cli.serve import LEVELS, STYLES, Options, file_for, options_from
from sidecar.testing.texts import DEMO
from tests.cli.home import KEYS, SECRET, Home, config

NO_PROVIDER = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Options()),
        (["--config", "a.yaml"], Options("a.yaml")),
        (["--config=a.yaml", "--log-level=debug"], Options("a.yaml", log_level="debug")),
        (["--log-format", "json"], Options(log_format="json")),
    ],
)
def test_a_plain_command_line_is_read_without_typer(
    arguments: list[str], expected: Options
) -> None:
    assert options_from(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--config"],
        ["--config="],
        ["--config", "--log-level"],
        ["--log-level", "loud"],
        ["--config", "a", "--config", "b"],
        ["a.yaml"],
        ["--port", "1"],
    ],
)
def test_whatever_is_not_plain_is_left_to_typer(arguments: list[str]) -> None:
    assert options_from(arguments) is None


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("level", LEVELS)
def test_both_readers_of_the_command_line_agree(
    style: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--config", "a.yaml", "--log-format", style, "--log-level", level]
    heard: list[Options] = []
    monkeypatch.setattr(serve, "run", lambda options: heard.append(options) or 0)

    CliRunner().invoke(commands.app, ["serve", *arguments], catch_exceptions=False)

    assert heard == [options_from(arguments)]


def test_a_file_is_found_as_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"HEADWAY_CONFIG": "/b.yaml"}
    nothing_here = file_for(None, {})
    (tmp_path / "headway.yaml").write_text("")

    found = [file_for("/a.yaml", named), file_for(None, named), file_for(None, {}), nothing_here]
    assert found == [Path("/a.yaml"), Path("/b.yaml"), Path("headway.yaml"), None]


def test_a_daemon_does_not_load_what_only_people_need(home: Home) -> None:
    script = (
        "import sys; from sidecar.cli import main; sys.argv = ['headway', 'serve']\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, {'typer', 'rich', 'click'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=home.folder, env=home.environment, check=False,
    )  # fmt: skip

    assert done.stdout == "2 set()\n"


def test_a_daemon_with_redis_does_not_load_an_sdk_that_it_never_uses(home: Home) -> None:
    script = (
        "import sys; from sidecar.cli.serve import tune; tune()\n"
        "import redis.asyncio, redis.observability.providers as providers\n"
        "print(providers.OTEL_AVAILABLE, sys.modules.get('opentelemetry.sdk.metrics'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=home.folder, env=home.environment, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("False None\n", "")


@pytest.mark.process
def test_without_a_file_or_a_key_it_says_which_variables_would_do(home: Home) -> None:
    done = home.run("serve")

    assert done.code == 2
    assert "DEEPSEEK_API_KEY" in done.err
    assert "Traceback" not in done.both


@pytest.mark.process
def test_every_mistake_of_a_file_is_told_with_its_path(home: Home) -> None:
    home.write("listen: [nowhere]\nledger: {keep: x}\nproviders: {p: {accounts: []}}\n")

    shape = home.run("serve", "--config", "headway.yaml")
    home.write("listen: [nowhere]\nledger: {keep: x}\n")
    sense = home.run("serve", "--config", "headway.yaml")

    assert (shape.code, sense.code) == (2, 2)
    assert shape.err.splitlines()[1:] == ["  providers.p.accounts: expected a mapping"]
    assert [line.split(":")[0].strip() for line in sense.err.splitlines()[1:]] == [
        "ledger.keep",
        "listen[0]",
        "providers",
    ]


@pytest.mark.process
def test_a_daemon_without_any_readable_key_does_not_start(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))

    done = home.run("serve")

    assert done.code == 2
    assert (
        "providers.north.accounts.n.keys.n1: environment variable NORTH_KEY is not set" in done.err
    )


@pytest.mark.process
def test_a_ledger_that_cannot_be_is_told(home: Home) -> None:
    home.write(config(home, NO_PROVIDER).replace("/ledger.db", "/headway.yaml/ledger.db"))

    done = home.run("serve", extra=KEYS)

    assert done.code == 1
    assert f"ledger {home.folder}/headway.yaml/ledger.db" in done.err
    assert "Traceback" not in done.both


@pytest.mark.process
def test_a_second_daemon_is_told_of_the_first(served: Home) -> None:
    same_ledger = served.run("serve", extra=KEYS)
    text = (served.folder / "headway.yaml").read_text()
    served.write(text.replace("/ledger.db", "/other.db"), "other.yaml")
    same_socket = served.run("serve", "--config", "other.yaml", extra=KEYS)

    assert (same_ledger.code, same_socket.code) == (1, 1)
    assert "another daemon writes to it" in same_ledger.err
    assert f"listens on {served.folder}/h.sock" in same_socket.err
    assert "Traceback" not in same_ledger.both + same_socket.both


@pytest.mark.process
def test_a_server_of_ones_own_needs_no_key(home: Home, base_url: str) -> None:
    home.write(f"""
listen: ["{home.socket}"]
providers:
  ollama: {{base_url: {base_url}, accounts: {{here: {{limits: [{{concurrency: 4}}]}}}}}}
routes: {{default: {{targets: [ollama/fake-demo+ms-1]}}}}
ledger: {{path: "{home.folder}/ledger.db"}}
""")
    with home.running("serve", ready="ready on"):
        done = home.run("chat", "What is a headway?")

    assert (done.code, done.out) == (0, f"{DEMO.answer}\n")
    assert "key no-key" in done.err


@pytest.mark.process
def test_sigterm_ends_it_cleanly(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))

    with home.running("serve", ready="ready on", extra=KEYS) as daemon:
        daemon.signal(signal.SIGTERM)
        code = daemon.wait()

    assert (code, (home.folder / "h.sock").exists()) == (0, False)


@pytest.mark.process
def test_one_sigint_lets_a_stream_finish_and_a_second_ends_it(home: Home, base_url: str) -> None:
    home.write(config(home, base_url))
    with (
        home.running("serve", ready="ready on", extra=KEYS) as daemon,
        Client(home.socket) as client,
        client.stream("slow", "hello") as stream,
    ):
        first = next(event for event in stream if event.answer)
        daemon.signal(signal.SIGINT)
        daemon.wait_for("draining: 1 streams")
        still = next(event for event in stream if event.answer)
        daemon.signal(signal.SIGINT)
        code = daemon.wait()

    assert (code, bool(first.answer), bool(still.answer)) == (0, True, True)
    usage = home.run("usage", "--ledger", "ledger.db", "--by", "outcome")
    assert usage.out.splitlines()[1].split()[1:3] == ["1", "1"]


@pytest.mark.process
def test_sighup_reads_the_file_anew_and_a_bad_one_changes_nothing(home: Home) -> None:
    home.write(config(home, NO_PROVIDER))
    with home.running("serve", ready="ready on", extra=KEYS) as daemon:
        home.write(config(home, NO_PROVIDER, more="breaker: {consecutive: 3}"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("in force")
        home.write("store: nowhere")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("configuration refused, the old one stays")
        with Client(home.socket) as client:
            targets = client.models().targets

    assert [target.provider for target in targets].count("north") > 0


@pytest.mark.process
def test_the_environment_alone_is_enough(home: Home) -> None:
    """Without the default socket's folder, which is the system's: that is what it says then."""
    done = home.run("check", extra={"DEEPSEEK_API_KEY": SECRET})

    assert (done.code, "deepseek: openai-chat at https://api.deepseek.com" in done.out) == (0, True)


@pytest.mark.process
def test_no_key_is_in_any_output_at_debug_level(home: Home, base_url: str) -> None:
    home.write(config(home, base_url))
    arguments = ("serve", "--log-level", "debug", "--log-format", "json")
    with home.running(*arguments, ready="ready on", extra=KEYS) as daemon:
        asked = [home.run("chat", "hello", "--model", m) for m in ("default", "north/fake-9+leak")]
        shown = home.run("status")
        daemon.signal(signal.SIGTERM)
        daemon.wait()

    assert [done.code == 0 for done in asked] == [True, False]
    assert SECRET not in "".join([daemon.said, shown.both, *(done.both for done in asked)])
    assert all(json.loads(line) for line in daemon.said.splitlines())


def test_a_key_written_where_its_place_should_stand_is_not_repeated(home: Home) -> None:
    text = config(home, NO_PROVIDER).replace("env: NORTH_KEY", f"env: {SECRET}")
    home.write(text.replace("env: SOUTH_KEY", f"file: {SECRET}"))

    done = home.run("serve")

    assert done.code == 2
    assert "providers.north.accounts.n.keys.n1" in done.err
    assert SECRET not in done.both


def test_the_environment_of_a_test_has_no_key() -> None:
    """Else what is tested above proves nothing."""
    assert SECRET not in os.environ.values()
