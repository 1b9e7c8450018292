"""The scenes of the demo: what is asked, what is shown, what must be true of it."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.request
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from headway import AsyncClient, Attempt
from headway.v1 import control_pb2, status_pb2

from sidecar.cli import usage, words
from sidecar.cli.demo import proof, setting
from sidecar.cli.demo.processes import Running
from sidecar.cli.demo.proof import Claim, Told
from sidecar.cli.show import Show
from sidecar.testing.journal import Bill, Entry
from sidecar.testing.texts import DEMO

T = TypeVar("T")
# How often the daemon is asked what a request waits for.
LOOK_S = 0.2
ASK_S = 60.0


class Stage:
    """Where the scenes play; remembers whether every claim held."""

    def __init__(self, show: Show, running: Running) -> None:
        self.show = show
        self.client = running.client
        self._base_url = running.base_url
        self.all_held = True

    def title(self, text: str, *lines: str) -> None:
        self.show.note("")
        self.show.note(text, "title")
        for line in lines:
            self.show.note(line, "plain")
        self.show.note("")

    def claims(self, *claims: Claim) -> None:
        """Say each claim, marked by whether it holds."""
        for claim in claims:
            self.all_held = self.all_held and claim.holds
            mark, style = ("ok", "good") if claim.holds else ("NOT SO", "bad")
            self.show.note(f"{mark}: {claim.text}", style)

    async def ask(self, model: str, messages: Any) -> Told:
        """Stream one completion and show it as it comes. Raises HeadwayError."""
        attempts: list[Attempt] = []
        self.show.begin()
        async with self.client.stream(model, messages, timeout_s=ASK_S, caller="demo") as stream:
            waiting = asyncio.create_task(self._tell_waiting())
            try:
                async for event in stream:
                    waiting.cancel()
                    attempts += [event] if isinstance(event, Attempt) else []
                    self.show.event(event)
            finally:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        for line in words.summary(stream.result):
            self.show.note(line)
        return Told(stream.result, tuple(attempts))

    async def _tell_waiting(self) -> None:
        """Say once what a request waits for that has not been answered yet."""
        async with contextlib.aclosing(self.client.watch_status(LOOK_S)) as states:
            async for state in states:
                if line := waits_for(state):
                    self.show.note(line)
                    return

    async def spoil(self, model: str, fault: str) -> None:
        """The next attempt on `model` goes wrong in this way."""
        body = msgspec.json.encode({"model": model, "faults": [fault]})
        await asyncio.to_thread(_fetch, f"{self._base_url}/_fake/script", dict, body)

    async def provider(self, what: str, kind: type[T]) -> T:
        """Something from the fake provider's back door."""
        return await asyncio.to_thread(_fetch, f"{self._base_url}/_fake/{what}", kind)


def _fetch(url: str, kind: type[T], body: bytes | None = None) -> T:
    with urllib.request.urlopen(url, body, timeout=ASK_S) as answer:
        return msgspec.json.decode(answer.read(), type=kind)


def waits_for(state: status_pb2.DaemonStatus) -> str:
    """What stands in the way of the first key that has to wait, "" if none has."""
    now_ns = state.time.ToNanoseconds()
    for key in state.keys:
        if key.HasField("not_now") and key.not_now.HasField("until"):
            left_s = max(key.not_now.until.ToNanoseconds() - now_ns, 0) / 1e9
            return f"waiting: {key.provider}, {key.not_now.reason}, for {words.span(left_s)} more"
    return ""


async def conversation(stage: Stage, real: bool) -> None:
    """A conversation, with DeepSeek itself if there is a key for it."""
    who = "DeepSeek itself" if real else "a fake provider, over real HTTP"
    stage.title("1. A conversation", f"Reasoning is dim, the answer bright. It comes from {who}.")
    talk: list[Any] = []
    for question in setting.REAL_QUESTIONS if real else (setting.QUESTION,):
        stage.show.note(f"> {question}", "plain")
        talk.append({"role": "user", "content": question})
        told = await stage.ask("conversation", talk)
        talk.append(told.result.message)
        stage.claims(proof.whole(told) if real else proof.exact(told, DEMO))


async def dies_thinking(stage: Stage) -> None:
    """A provider that dies in the middle of its reasoning; the next one goes on."""
    stage.title(
        "2. A provider dies in the middle of its reasoning",
        f"north will hang up after {setting.DIES_THINKING} tokens. east takes over, and gets the "
        "thoughts so far.",
    )
    await stage.spoil("sage", f"cut-reasoning-{setting.DIES_THINKING}")
    told = await stage.ask("thinking", setting.QUESTION)
    stage.claims(proof.resumed(told), proof.exact(told, DEMO))


async def dies_answering(stage: Stage) -> None:
    """A provider that dies in its answer; the next one cannot continue it."""
    stage.title(
        "3. A provider dies in the middle of its answer",
        f"north will hang up after {setting.DIES_ANSWERING} tokens. south, which takes over, can "
        "only begin anew: what is void is struck out, or told.",
    )
    await stage.spoil("sage", f"cut-answer-{setting.DIES_ANSWERING}")
    told = await stage.ask("answering", setting.QUESTION)
    stage.claims(proof.restarted(told), proof.exact(told, DEMO))


async def limited(stage: Stage) -> None:
    """A 429 that is waited out."""
    stage.title(
        "4. A limit of the provider",
        f"south takes one request in {setting.LIMIT_S} seconds. One has just been made; the next "
        "gets a 429.",
    )
    await stage.client.complete(
        "busy", setting.QUESTION, max_tokens=8, timeout_s=ASK_S, caller="demo"
    )
    told = await stage.ask("busy", setting.QUESTION)
    log = await stage.provider("log?model=busy", list[Entry])
    stage.claims(*proof.waited_out(told, log), proof.exact(told, DEMO))


async def ledger(stage: Stage) -> None:
    """What it all cost, against what the provider billed."""
    stage.title(
        "5. The ledger", "Every attempt is in it: reasoning and answer apart, lost ones too."
    )
    rows = (await _rows(stage.client)).rows
    for line in usage.lines(rows, ("provider", "model", "outcome")):
        stage.show.note(line, "plain")
    stage.show.note("")
    bill = await stage.provider("bill", Bill)
    fake: Sequence[control_pb2.UsageRow] = [r for r in rows if r.provider in setting.PROVIDERS]
    stage.claims(*proof.accounted(fake, bill))


async def _rows(client: AsyncClient) -> control_pb2.GetUsageResponse:
    return await client.usage(group_by=["provider", "model", "outcome"])
