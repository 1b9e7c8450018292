"""From the name a caller gives to the targets that can do what is asked."""

from __future__ import annotations

import pytest

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import Completion, Image, ImageUrl, Message, Role, Text, Tool
from sidecar.core.target import Route, Target
from sidecar.routing.catalog import Catalog, missing

PLAIN = Target("small", "plain", images=False, tools=False)
SEEING = Target("big", "seeing", images=True, tools=False)
ABLE = Target("big", "able", images=True, tools=True)
ROUTE = Route("default", (PLAIN, SEEING, ABLE), "restart", handoff=True, retries=7, patience_s=1.5)


def direct(provider: str, model: str) -> Target | None:
    return Target(provider, model) if provider in {"big", "openrouter"} else None


CATALOG = Catalog([ROUTE, Route("weak", (PLAIN,))], direct)
IMAGE = Message(Role.USER, (Text("see"), Image(b"\x89PNG", "image/png")))
LINK = Message(Role.USER, (ImageUrl("https://example.org/a.png"),))
TOOLS = (Tool("look"),)


def asked(model: str, *messages: Message, tools: tuple[Tool, ...] = ()) -> Completion:
    return Completion(model, messages or (Message(Role.USER, (Text("hi"),)),), tools=tools)


def refused(completion: Completion) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        CATALOG.route(completion)
    return caught.value


def test_a_route_is_found_by_its_name() -> None:
    assert CATALOG.route(asked("default")) is ROUTE


def test_provider_slash_model_is_a_route_of_one_target() -> None:
    assert CATALOG.route(asked("big/able")) == Route("big/able", (Target("big", "able"),))


def test_only_the_first_slash_parts_provider_from_model() -> None:
    route = CATALOG.route(asked("openrouter/anthropic/claude-haiku-4.5"))
    assert route.targets == (Target("openrouter", "anthropic/claude-haiku-4.5"),)


@pytest.mark.parametrize("name", ["nobody", "", "/", "big/", "/able", "unknown/model"])
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    error = refused(asked(name))
    assert error.reason is Reason.UNKNOWN_MODEL
    assert error.field == "completion.model"
    assert "default, weak" in error.message
    assert error.retry_after_s is None


def test_targets_that_cannot_see_are_left_out_where_there_are_images() -> None:
    assert CATALOG.route(asked("default", IMAGE)).targets == (SEEING, ABLE)
    assert CATALOG.route(asked("default", LINK)).targets == (SEEING, ABLE)


def test_targets_without_tools_are_left_out_where_tools_are_asked_for() -> None:
    assert CATALOG.route(asked("default", tools=TOOLS)).targets == (ABLE,)


def test_a_route_cut_down_keeps_everything_else_it_says() -> None:
    cut = CATALOG.route(asked("default", tools=TOOLS))
    assert (cut.name, cut.on_interruption, cut.handoff) == ("default", "restart", True)
    assert (cut.retries, cut.patience_s) == (7, 1.5)


def test_where_no_target_is_able_the_error_says_what_is_missing() -> None:
    error = refused(asked("weak", IMAGE, tools=TOOLS))
    assert error.reason is Reason.PROVIDER_REFUSED
    assert error.metadata["missing"] == "images,tools"


def test_what_nobody_asks_for_is_not_missing() -> None:
    assert missing(PLAIN, asked("default")) == []
