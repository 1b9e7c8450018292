"""The table as a whole: every row can be read, every row runs in every dialect."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from sidecar.testing.faults import FAULTS
from sidecar.testing.faults.base import applied
from sidecar.testing.faults.errors import FORMS
from sidecar.testing.virtual import run

# One way to write each row, and more for those with words to choose from.
EXAMPLES: dict[str, list[str]] = {
    "ms-N": ["ms-5"],
    "tps-R": ["tps-2.5"],
    "batch-N": ["batch-8"],
    "seed-N": ["seed-7"],
    "style-STYLE": ["style-unicode", "style-long"],
    "think": ["think"],
    "tools-N": ["tools-2"],
    "prefix-WAY": ["prefix-echo", "prefix-refuse"],
    "cached-N": ["cached-3"],
    "demand": ["demand"],
    "no-usage": ["no-usage"],
    "zero-usage": ["zero-usage"],
    "http-STATUS[-S]": ["http-503", "http-429-2", "http-418"],
    "refuse-KIND[-S]": ["refuse-context", "refuse-quota-3", "refuse-no_model"],
    "rate-STYLE-S": [
        f"rate-{s}-2" for s in ("seconds", "millis", "date", "reset", "never", "body")
    ],
    "revoke-N-KEY": ["revoke-0-key-1"],
    "deny-KEY": ["deny-key-1"],
    "leak": ["leak"],
    "octet": ["octet"],
    "html[-STATUS]": ["html", "html-502"],
    "empty": ["empty"],
    "redirect": ["redirect"],
    "after-S": ["after-24"],
    "END[-PHASE]-K": [
        *(f"{end}-7" for end in ("cut", "rst", "eof", "half")),
        *(f"cut-{phase}-3" for phase in ("reasoning", "answer", "tool", "event", "byte")),
        "cut-0",
    ],
    "stall-K-S": ["stall-3-30"],
    "lose-WAY": ["lose-reset", "lose-close", "lose-refuse"],
    "silent[-S]": ["silent", "silent-3"],
    "headers-S": ["headers-2"],
    "queued-S": ["queued-2"],
    "first-S": ["first-20"],
    "second-S": ["second-20"],
    "pause-K-S": ["pause-4-20"],
    "gap-S": ["gap-20"],
    "keepalive-S[-I]": ["keepalive-20", "keepalive-20-3"],
    "error-FORM[-K]": [*(f"error-{form}-4" for form in FORMS), "error-groq"],
    "firsterror-FORM": ["firsterror-responses-nested"],
    "lateerror-FORM": ["lateerror-google-bare"],
    "garbage-K": ["garbage-3"],
    "broken-K": ["broken-3"],
    "badbytes-K": ["badbytes-3"],
    "no-done": ["no-done"],
    "no-finish": ["no-finish"],
    "chunk-N": ["chunk-7"],
    "frame-STYLE": [
        f"frame-{s}" for s in ("crlf", "cr", "tight", "comments", "padded", "blank", "bom", "split")
    ],
    "unframed": ["unframed"],
    "huge-N": ["huge-100000"],
    "endless-N": ["endless-100000"],
    "deep-N": ["deep-500"],
    "gzip": ["gzip"],
    "falsegzip": ["falsegzip"],
}
ALL = [example for examples in EXAMPLES.values() for example in examples]

DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "deepseek": ("/chat/completions", {"messages": [{"role": "user", "content": "go"}]}),
    "anthropic": (
        "/v1/messages",
        {
            "messages": [{"role": "user", "content": "go"}],
            "max_tokens": 500,
            "thinking": {"type": "enabled", "budget_tokens": 100},
        },
    ),
    "responses": ("/v1/responses", {"input": "go"}),
    "interactions": (
        "/v1beta/interactions",
        {"input": "go", "generation_config": {"thinking_summaries": "auto"}},
    ),
    "gemini": ("", {"contents": [{"role": "user", "parts": [{"text": "go"}]}]}),
    "ollama": ("/api/chat", {"messages": [{"role": "user", "content": "go"}]}),
    "typed": ("/typed/chat/completions", {"messages": [{"role": "user", "content": "go"}]}),
}


def test_every_row_has_an_example() -> None:
    assert {row.name for row in FAULTS} == set(EXAMPLES)


@pytest.mark.parametrize(("name", "example"), [(n, e) for n, es in EXAMPLES.items() for e in es])
def test_an_example_is_read_as_its_own_row(name: str, example: str) -> None:
    assert applied(example, FAULTS).fault.name == name


def test_every_row_says_what_it_does_and_changes_one_thing() -> None:
    assert all(row.does and (row.steps is None) != (row.plan is None) for row in FAULTS)


# What the provider's side of the card needs beyond this table: limits (H33, H34), the bill (H45),
# hang-ups of the client (H28, H37, H40) and prices that are missing (H42) are no faults.
WITHOUT_A_FAULT = {"H28", "H33", "H34", "H35", "H36", "H37", "H38", "H39", "H40", "H42", "H45"}


def test_every_row_of_the_card_that_the_provider_can_play_is_served() -> None:
    card = {f"S{n:02}" for n in range(1, 17)} | {f"H{n:02}" for n in range(1, 46)}
    served = {card_id for row in FAULTS for card_id in row.cards}
    assert served >= card - WITHOUT_A_FAULT
    assert served <= card


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_fault_runs_to_its_end_in_every_dialect(
    new_world: Any, caplog: pytest.LogCaptureFixture, dialect: str, stream: bool
) -> None:
    async def main() -> None:
        world = new_world()
        for number, fault in enumerate(ALL):
            model = f"fake-reasoner-6-6+tools-1+{fault}#{number}"
            path, body = DIALECTS[dialect]
            if dialect == "gemini":
                call = "streamGenerateContent?alt=sse" if stream else "generateContent"
                path = f"/v1beta/models/{model.replace('#', '%23')}:{call}"
            sent = {"authorization": "Bearer sk-1"}
            content = json.dumps(body | {"model": model, "stream": stream}).encode()
            seen = await world.send("POST", path, sent, content)
            assert world.log[-1].is_over, fault
            assert seen.status or seen.error, fault

    with caplog.at_level(logging.ERROR):
        run(main())
    assert caplog.records == []
