"""The scenes: what they say of a state, and that a claim that fails is remembered."""

from __future__ import annotations

import io
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp
from headway import AsyncClient
from headway.v1 import status_pb2

from sidecar.cli.demo.processes import Running
from sidecar.cli.demo.proof import Claim
from sidecar.cli.demo.scenes import Stage, waits_for
from sidecar.cli.show import Show

NOW = Timestamp(seconds=100)


def state(*keys: status_pb2.KeyStatus) -> status_pb2.DaemonStatus:
    return status_pb2.DaemonStatus(time=NOW, keys=keys)


def key(until: Timestamp | None) -> status_pb2.KeyStatus:
    not_now = status_pb2.NotNow(reason="RATE_LIMITED", until=until)
    return status_pb2.KeyStatus(provider="south", not_now=not_now)


def test_a_key_that_rests_is_what_is_waited_for() -> None:
    ready = status_pb2.KeyStatus(provider="north")

    assert waits_for(state(ready, key(Timestamp(seconds=102)))) == (
        "waiting: south, RATE_LIMITED, for 2 s more"
    )


def test_nothing_is_waited_for_where_all_are_ready_or_one_never_is() -> None:
    assert waits_for(state(status_pb2.KeyStatus(provider="north"), key(None))) == ""


async def test_one_claim_that_does_not_hold_is_enough_to_fail() -> None:
    out = io.StringIO()
    async with AsyncClient("unix:///nobody") as client:
        stage = Stage(Show(out), Running("http://127.0.0.1:9", client, Path()))
        stage.claims(Claim(True, "this"))
        held = stage.all_held
        stage.claims(Claim(False, "that"), Claim(True, "and this"))

    assert (held, stage.all_held) == (True, False)
    assert out.getvalue() == "ok: this\nNOT SO: that\nok: and this\n"
