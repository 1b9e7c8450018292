"""Each refusal does what its row says."""

from __future__ import annotations

import asyncio
import email.utils
from typing import Any

import pytest

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time, run

PREFILLED = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "Forest"}]


@in_virtual_time
async def test_one_429_with_retry_after_and_then_health(new_world: Any) -> None:
    world = new_world()
    first, second = await world.ask("fake-60+http-429-2@1"), await world.ask("fake-60+http-429-2@1")
    assert (first.status, first.headers["retry-after"], second.status) == (429, "2", 200)


@in_virtual_time
async def test_429_without_a_wait_says_none(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+http-429")
    assert not [name for name in seen.headers if "retry" in name or "ratelimit" in name]


@in_virtual_time
async def test_an_outage_lasts_so_many_seconds_from_the_first_request(new_world: Any) -> None:
    world = new_world()
    seen = []
    for _ in range(20):
        seen.append((await world.ask("fake-0+http-503@60s")).status)
        await asyncio.sleep(4.0)
    assert seen == [503] * 15 + [200] * 5


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422, 500, 503, 529, 418])
def test_any_status_can_be_had(new_world: Any, status: int) -> None:
    async def main() -> None:
        seen = await new_world().ask(f"fake-60+http-{status}")
        assert seen.status == status
        assert seen.json["error"]["message"]

    run(main())


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("context", 400, "context_length_exceeded"),
        ("policy", 400, "content_policy_violation"),
        ("quota", 429, "insufficient_quota"),
        ("region", 403, "unsupported_country_region_territory"),
        ("gone", 410, "model_decommissioned"),
        ("no_model", 404, "model_not_found"),
    ],
)
def test_a_kind_has_its_status_and_code(new_world: Any, kind: str, status: int, code: str) -> None:
    async def main() -> None:
        seen = await new_world().ask(f"fake-60+refuse-{kind}", path="/v1/chat/completions")
        assert (seen.status, seen.json["error"]["code"]) == (status, code)

    run(main())


@in_virtual_time
async def test_deepseeks_codes_tell_nothing_apart(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+http-402")
    assert seen.json["error"] == {
        "message": "Insufficient Balance",
        "type": "unknown_error",
        "param": None,
        "code": "invalid_request_error",
    }


@in_virtual_time
async def test_one_key_is_revoked_after_n_attempts_and_the_other_is_not(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-a": Key("a1"), "sk-b": Key("b1")}))
    model = "fake-0+revoke-2-a1"
    assert [(await world.ask(model, key="sk-a")).status for _ in range(4)] == [200, 200, 401, 401]
    assert (await world.ask(model, key="sk-b")).status == 200


@in_virtual_time
async def test_one_key_may_not_use_one_model(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-a": Key("a1"), "sk-b": Key("b1")}))
    assert (await world.ask("fake-0+deny-a1", key="sk-a")).status == 403
    assert (await world.ask("fake-0", key="sk-a")).status == 200
    assert (await world.ask("fake-0+deny-a1", key="sk-b")).status == 200


@in_virtual_time
async def test_a_leak_repeats_the_key_in_its_error(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+leak", key="sk-planted")
    assert (seen.status, b"sk-planted" in seen.body) == (401, True)


@pytest.mark.parametrize(
    ("style", "header", "value"),
    [
        ("seconds", "retry-after", "2.5"),
        ("millis", "retry-after-ms", "2500"),
        ("reset", "x-ratelimit-reset-requests", "2.5s"),
        ("never", "x-should-retry", "false"),
    ],
)
def test_a_wait_is_told_in_its_style(new_world: Any, style: str, header: str, value: str) -> None:
    async def main() -> None:
        seen = await new_world().ask(f"fake-60+rate-{style}-2.5")
        assert (seen.status, seen.headers[header]) == (429, value)

    run(main())


@in_virtual_time
async def test_a_wait_can_be_told_as_a_date(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-60+rate-date-90")
    told = email.utils.parsedate_to_datetime(seen.headers["retry-after"])
    assert told.timestamp() == world.clock.wall_ns() / 1e9 + 90


@in_virtual_time
async def test_a_wait_can_be_told_in_the_body_alone(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+rate-body-5.289")
    assert "try again in 5.289s" in seen.json["error"]["message"]
    assert "retry-after" not in seen.headers


@in_virtual_time
async def test_an_error_can_lie_about_its_type(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+http-400+octet")
    assert seen.headers["content-type"] == "application/octet-stream"
    assert seen.json["error"]["type"] == "invalid_request_error"


@in_virtual_time
async def test_html_comes_with_200_and_costs_nothing(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-60+html")
    assert (seen.status, seen.body.startswith(b"<!DOCTYPE html>")) == (200, True)
    assert world.provider.bill.total_nano_usd == 0


@in_virtual_time
async def test_html_can_have_another_status(new_world: Any) -> None:
    assert (await new_world().ask("fake-60+html-502")).status == 502


@in_virtual_time
async def test_empty_is_a_success_without_a_word(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+empty")
    assert (seen.status, seen.body, seen.error) == (200, b"", None)


@in_virtual_time
async def test_a_redirect_leads_elsewhere(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+redirect")
    assert (seen.status, seen.headers["location"]) == (307, "http://127.0.0.1:9/elsewhere")


@in_virtual_time
async def test_a_success_can_carry_retry_after(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+after-24")
    assert (seen.status, seen.headers["retry-after"], seen.done) == (200, "24", True)


@in_virtual_time
async def test_a_prefill_is_refused_and_a_plain_request_is_not(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-60+prefix-refuse", messages=PREFILLED)
    assert (seen.status, "prefill" in seen.json["error"]["message"]) == (400, True)
    assert (await world.ask("fake-60+prefix-refuse")).status == 200


@in_virtual_time
async def test_an_echo_repeats_the_prefix_and_goes_on(new_world: Any) -> None:
    answer = written(0, 0, 60).answer
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": answer[:50]}]
    seen = await new_world().ask("fake-60+prefix-echo", messages=messages)
    assert seen.answer == answer


@in_virtual_time
async def test_a_restart_writes_the_answer_anew_in_spite_of_a_prefix(new_world: Any) -> None:
    so_far = {"role": "assistant", "content": "Forest", "prefix": True}
    seen = await new_world().ask(
        "fake-60+prefix-restart",
        path="/beta/chat/completions",
        messages=[{"role": "user", "content": "go"}, so_far],
    )
    assert seen.answer == written(0, 0, 60).answer


@in_virtual_time
async def test_a_prefill_is_continued_where_the_model_is_told_to(new_world: Any) -> None:
    answer = written(0, 0, 60).answer
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": answer[:53]}]
    seen = await new_world().ask("fake-60+prefix-continue", messages=messages)
    assert seen.answer == answer[53:]
