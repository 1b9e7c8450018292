"""`headway check`: what a configuration means, without starting anything."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from sidecar.app import secrets
from sidecar.app.prices import price_book
from sidecar.app.source import Source
from sidecar.app.stores import password_of
from sidecar.cli.ending import MISUSED, Failed, told
from sidecar.cli.serve import file_for
from sidecar.cli.words import count
from sidecar.config.explain import explain, lines, warnings
from sidecar.config.load import BadConfig, Problem
from sidecar.config.resolve import Resolved
from sidecar.core.clock import system_wall_ns
from sidecar.server.sockets import is_loopback, unix_path
from sidecar.upstream.tls import client_context

MARK = "! "


def run(config: str | None, environment: Mapping[str, str]) -> None:
    """Print what it means. Raises Failed with everything that is wrong with it."""
    source = Source(file_for(config, environment), environment)
    try:
        resolved, text = source.read()
        loaded = secrets.load(resolved, environment)
        password_of(resolved.config.store, environment)
        problems = list(_at_start(resolved, loaded))
        if problems:
            raise BadConfig(problems)
    except BadConfig as error:
        where = source.path or "the environment"
        raise Failed(f"{where} cannot be used", *told(error.problems), code=MISUSED) from None
    _print(resolved, f"{text.origin} (version {text.version})", loaded)


def _at_start(resolved: Resolved, loaded: secrets.Loaded) -> Iterator[Problem]:
    """What would keep a daemon from starting, or a provider from being reached."""
    wanted = any(account.keys for p in resolved.providers.values() for account in p.accounts)
    if wanted and not loaded.keys:
        yield from loaded.problems
    for index, address in enumerate(resolved.config.listen):
        tcp = unix_path(address) is None
        if tcp and not resolved.config.server.public and not is_loopback(address):
            yield Problem(
                f"listen[{index}]",
                f"{address} is not loopback: say `server: {{public: true}}` if that is meant",
            )
    store = resolved.config.store
    if store.ca_file and (why := _untrusted(store.ca_file)):
        yield Problem("store.ca_file", why)
    for name, provider in resolved.providers.items():
        if provider.ca_file and (why := _untrusted(provider.ca_file)):
            yield Problem(f"providers.{name}.ca_file", why)


def _untrusted(ca_file: str) -> str:
    try:
        client_context(Path(ca_file))
    except ssl.SSLError:
        return f"{ca_file} holds no certificates in PEM"
    except OSError as error:
        return f"cannot read {ca_file}: {error.strerror}"
    return ""


def _print(resolved: Resolved, origin: str, loaded: secrets.Loaded) -> None:
    book, now_ns = price_book(resolved), system_wall_ns()
    unreadable = {problem.path: problem.message for problem in loaded.problems}
    points = explain(resolved, unreadable, lambda p, m: book.quote(p, m, now_ns))
    marked = [*warnings(points), *(str(warning) for warning in resolved.warnings)]
    good = "good" if not marked else f"good, {count(len(marked), 'warning')} (marked with !)"
    print(f"{origin}: {good}")
    bold, plain = ("\x1b[33m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    for line, warns in lines(points, indent=2):
        print(f"{bold}{MARK}{line[2:]}{plain}" if warns else line)
    for warning in resolved.warnings:
        print(f"{bold}{MARK}{warning}{plain}")
