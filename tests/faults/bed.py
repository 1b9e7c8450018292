"""A row's own daemon process and fake provider, and the calls that are made through them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from headway import AsyncClient, AsyncStream, Event, HeadwayError
from headway.v1 import status_pb2

from sidecar.testing import Entry, Key, ProviderConfig, RunningProvider, running_provider
from tests.faults.card import Call, Point, Row, Seen, Side, Span
from tests.limits.servers import Server
from tests.support.configs import PRICE
from tests.support.daemon import Daemon
from tests.support.machine import EVERY_S, Starvation
from tests.telemetry.collector import Collector, attributes

# Where the fake provider speaks the dialect of a provider; any other is a plain server.
BASES = {
    "deepseek": "",
    "openai": "/openai/v1",
    "mistral": "/mistral/v1",
    "openrouter": "/openrouter/api/v1",
    "groq": "/groq/openai/v1",
    "xai": "/xai/v1",
    "vllm": "/vllm/v1",
    "gpustack": "/gpustack/v1",
    "anthropic": "/v1",
    "openai-responses": "/v1",
    "gemini": "/v1beta",
    "ollama": "",
}
PLAIN = {"dialect": "openai-chat"}
# The published set-up: a request and an idle timeout of 30 s each. The limit on the first token is
# ours (S07 asks for one).
TIMEOUTS = {
    "headers": "30s",
    "first_event": "10s",
    "reasoning_gap": "30s",
    "turn_gap": "30s",
    "answer_gap": "30s",
}
# No call waits longer than this, seconds: what is still running then hangs.
HANGS_AFTER_S = 130.0
# Nobody waits longer than this for a sign, seconds: it ends a hang, and no verdict depends on it.
PATIENCE_S, POLL_S = 30.0, 0.01
# How often the machine is looked at beside a row that asks for no milliseconds, seconds.
SELDOM_S = 0.1
QUESTION = "Explain in sixty words why a gateway must be trusted."


class Bed:
    """Used as `async with`; afterwards `seen` holds what there is to judge."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.notes: dict[str, Any] = {}
        self.calls: list[Call] = []
        self._stack = AsyncExitStack()
        self._pods = 0
        self.collector: Collector | None = None
        self.server: Server | None = None
        self.provider: RunningProvider
        self.daemon: Daemon
        self.client: AsyncClient
        self.starved: Starvation

    async def __aenter__(self) -> Bed:
        try:
            return await self._enter()
        except BaseException:
            await self._stack.aclose()
            raise

    async def _enter(self) -> Bed:
        row, stack = self.row, self._stack
        folder = Path(tempfile.mkdtemp(prefix="hw"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        config = ProviderConfig(keys=_secrets(row), quotas=row.quotas)
        self.provider = await stack.enter_async_context(running_provider(config))
        config_of_all = {
            **_config(row, folder, self.provider.base_url),
            **await self._beside(folder),
        }
        variables = {_variable(key.alias): secret for secret, key in _secrets(row).items()}
        self.daemon = Daemon(folder, config_of_all, **variables)
        stack.push_async_callback(self.daemon.close)
        await self.daemon.start()
        every_s = EVERY_S if row.exact or row.alone else SELDOM_S
        starved = Starvation(self.daemon.process.pid, every_s=every_s)
        self.starved = await stack.enter_async_context(starved)
        self.client = await stack.enter_async_context(self.daemon.client())
        return self

    async def _beside(self, folder: Path) -> dict[str, Any]:
        """What the row has beside its provider, and how the daemon finds it."""
        sections: dict[str, Any] = {}
        if self.row.traced:
            self.collector = Collector()
            self._stack.callback(self.collector.close)
            endpoint = f"http://127.0.0.1:{self.collector.start()}"
            sections["telemetry"] = {"otlp_endpoint": endpoint}
        if self.row.shared:
            self.server = await asyncio.to_thread(Server, folder)
            self._stack.callback(self.server.stop)
            sections["store"] = self.server.url
        return sections

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def log(self) -> tuple[Entry, ...]:
        """The provider's."""
        return self.provider.log

    # -- for stories -------------------------------------------------------------------------

    def pod(self, folder: Path, **sections: Any) -> Daemon:
        """Another daemon with the row's configuration, but for its own socket and ledger."""
        folder.mkdir()
        config = {
            **self.daemon.config,
            "listen": [f"unix://{folder / 'headway.sock'}"],
            "ledger": {"path": str(folder / "ledger.db")},
            **sections,
        }
        return Daemon(folder, config, **self.daemon.variables)

    async def another(self) -> Daemon:
        """Another pod on the row's store, started; it ends with the row."""
        self._pods += 1
        pod = self.pod(self.daemon.folder / f"pod{self._pods}")
        self._stack.push_async_callback(pod.close)
        await pod.start()
        self.starved.watch(pod.process.pid)
        return pod

    def stream(self, route: str = "default", **options: Any) -> AsyncStream:
        """A stream that nobody reads yet."""
        options = {"timeout_s": HANGS_AFTER_S, **self.row.options, **options}
        return self.client.stream(route, options.pop("messages", QUESTION), **options)

    async def call(self, route: str = "default", **options: Any) -> Call:
        """Ask, read to the end, whatever it is, and keep what was seen."""
        return await self.read(self.stream(route, **options), route, asked=options)

    async def read(
        self,
        stream: AsyncStream,
        route: str = "default",
        told: Callable[[Event], None] = lambda event: None,
        asked: Mapping[str, Any] | None = None,
    ) -> Call:
        """Read a stream to its end, whatever it is; keep what was seen, `told` of each event."""
        loop = asyncio.get_running_loop()
        stamps: list[tuple[float, Event]] = []

        def stamp(event: Event) -> None:
            stamps.append((loop.time(), event))
            told(event)

        began, error = loop.time(), None
        try:
            async for event in stream:
                stamp(event)
        except HeadwayError as failure:
            error = failure
        call = Call(
            route=route,
            began=began,
            ended=loop.time(),
            stamps=tuple(stamps),
            result=stream.result if error is None else None,
            error=error,
            asked=asked or {},
        )
        self.calls.append(call)
        return call

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until `holds()`, looked at again and again: for what tells nobody. TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if holds():
                    return
                await asyncio.sleep(POLL_S)

    async def wait_log(self, holds: Callable[[tuple[Entry, ...]], bool]) -> None:
        """Until the provider's log is so; it is looked at after each step of each attempt."""
        async with asyncio.timeout(PATIENCE_S):
            await self.provider.wait_until(lambda: holds(self.provider.log))

    async def wait_status(
        self, holds: Callable[[status_pb2.DaemonStatus], bool]
    ) -> status_pb2.DaemonStatus:
        """The first status of the daemon for which `holds`. TimeoutError tells the last one."""
        return await self.daemon.wait_status(self.client, holds)

    # -- for the judge -----------------------------------------------------------------------

    async def run(self) -> Seen:
        """Play the row's story, and return all there is to see of it."""
        await self.row.story(self)
        await self.provider.wait_until(lambda: not self.provider.provider.journal.running)
        if self.daemon.process.returncode is None:
            await self.daemon.terminate()
        return self.seen()

    def seen(self) -> Seen:
        """All there is to see now."""
        ended = self.daemon.process.returncode
        return Seen(
            row=self.row,
            calls=tuple(self.calls),
            log=self.provider.log,
            bill=self.provider.bill,
            ledger=tuple(self.daemon.rows()),
            zero=self.provider.provider.began_at,
            exit_code=-1 if ended is None else ended,
            notes=self.notes,
            starved_s=self.starved.waited_s,
            daemon_log=self.daemon.log,
            spans=_spans(self.collector),
            points=_points(self.collector),
        )


def _spans(collector: Collector | None) -> tuple[Span, ...]:
    spans = collector.spans if collector is not None else []
    return tuple(Span(s.name, attributes(s), s.status.code == s.status.STATUS_CODE_ERROR)
                 for s in spans)  # fmt: skip


def _points(collector: Collector | None) -> dict[str, tuple[Point, ...]]:
    """Of the last export; histograms are left out."""
    if collector is None or not collector.metrics:
        return {}
    return {
        name: tuple(
            Point(attributes(point), point.as_double or point.as_int)
            for point in (*metric.sum.data_points, *metric.gauge.data_points)
        )
        for name, metric in collector.named_metrics.items()
    }


def _secrets(row: Row) -> dict[str, Key]:
    """The keys that the provider knows, by their secrets."""
    aliases = {alias: side.provider for side in row.sides for alias in _keys(side)}
    return {f"sk-card-{alias}": Key(alias, owner) for alias, owner in aliases.items()}


def _keys(side: Side) -> tuple[str, ...]:
    return side.keys or (f"{side.provider}-1",)


def _variable(alias: str) -> str:
    return "CARD_" + alias.upper().replace("-", "_")


def _config(row: Row, folder: Path, base_url: str) -> dict[str, Any]:
    names = [side.name for side in row.sides]
    routes = {
        "default": {"targets": names, "retries": 2, **row.route},
        "healthy": {"targets": [f"{row.sides[0].provider}/fake-60#healthy"]},
    }
    for name, places in row.routes.items():
        tag = "" if name == "default" else f"#{name}"
        targets = [names[place] + tag for place in places]
        routes[name] = {"targets": targets, "retries": 2, **row.route}
    sides = {side.provider: side for side in reversed(row.sides)}
    return {
        "listen": [f"unix://{folder / 'headway.sock'}"],
        "providers": {name: _provider(side, base_url) for name, side in sides.items()},
        "routes": routes,
        "ledger": {"path": str(folder / "ledger.db")},
        **row.sections,
    }


def _provider(side: Side, base_url: str) -> dict[str, Any]:
    keys = [{"name": alias, "env": _variable(alias)} for alias in _keys(side)]
    model = {"resume": side.resume, "reasoning": side.reasoning}
    if side.priced:
        model["price"] = PRICE
    known = side.provider in BASES
    return {
        **({} if known else PLAIN),
        "base_url": base_url + BASES.get(side.provider, "/v1"),
        "accounts": {"main": {"keys": keys, "limits": list(side.limits)}},
        "models": {"*": model},
        "timeouts": TIMEOUTS if side.timeouts is None else side.timeouts,
    }
