"""A request as the fake provider reads it, and what its model would say to it."""

from __future__ import annotations

import enum
import json

import msgspec
from msgspec.structs import replace

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.texts import DEMO, Writing, input_tokens, pieces, rest_after, written


class Incoming(msgspec.Struct, frozen=True):
    """An HTTP request; header names are lower case, `path` has its query still on it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class OnPrefix(enum.Enum):
    """What a model makes of the text so far that a request ends with.

    ECHO: repeats it, then goes on. RESTART: writes its answer anew. DEPART: the same in other
    words, and with a capital, as texts begin. REFUSE: 400.
    """

    CONTINUE = "continue"
    ECHO = "echo"
    RESTART = "restart"
    DEPART = "depart"
    REFUSE = "refuse"


class Asked(msgspec.Struct, frozen=True):
    """A request in the words of no dialect. `flavour` is the provider within the dialect.

    `texts` is what the input is billed by. `prefix` is the text so far, where the request ends
    with an assistant's turn; `on_prefix` what this dialect and flavour make of it. Without
    `shows_reasoning` the model thinks, and bills it, but the dialect hides the text.
    """

    dialect: str
    flavour: str
    model: str
    stream: bool
    texts: tuple[str, ...]
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    thinking: bool = True
    shows_reasoning: bool = True
    include_usage: bool = False
    tools: tuple[str, ...] = ()
    after_tool: bool = False
    prefix: Prefix | None = None
    on_prefix: OnPrefix = OnPrefix.RESTART

    def way(self, plan: Plan) -> OnPrefix:
        """What happens to a text so far: the plan's way if it has one."""
        return plan.on_prefix or self.on_prefix


class Plan(msgspec.Struct, frozen=True):
    """How a model behaves when nothing goes wrong. Times in seconds.

    The defaults are the failure card's: 60 words, 15 ms between two tokens. `told` is what its
    usage says: the truth ("exact"), nothing ("none") or zeros ("zero": then it bills nothing).
    `on_prefix` None leaves it to the dialect. `calls_alone`: no text before a tool call.
    `demands`: signs what it thinks, and refuses a history that does not bring it back.
    `batch`: so many tokens ride in one event.
    """

    reasoning_words: int = 0
    answer_words: int = 60
    tool_calls: int = 0
    calls_alone: bool = False
    style: str = "plain"
    writing: Writing | None = None
    seed: int | None = None
    pace_s: float = 0.015
    think_tags: bool = False
    on_prefix: OnPrefix | None = None
    told: str = "exact"
    cached_tokens: int = 0
    demands: bool = False
    batch: int = 1


class Call(msgspec.Struct, frozen=True):
    """A tool call; `pieces` are its arguments, token by token."""

    index: int
    id: str
    name: str
    pieces: tuple[str, ...]


class Speech(msgspec.Struct, frozen=True):
    """What is going to be said, token by token; `finish` is stop, length or tool_calls.

    `tags` stand around the reasoning where it is part of the answer's text. The first is empty
    where the prefix had it already, the second where the reasoning has no end.
    """

    reasoning: tuple[str, ...]
    answer: tuple[str, ...]
    calls: tuple[Call, ...]
    finish: str
    usage: Usage
    tags: tuple[str, str] | None = None

    @property
    def tagged_answer(self) -> str:
        """The answer as a whole, with the reasoning in it where that is between tags."""
        answer = "".join(self.answer)
        if self.tags is None or not self.reasoning:
            return answer
        return self.tags[0] + "".join(self.reasoning) + self.tags[1] + answer


def compose(asked: Asked, plan: Plan) -> Speech:
    """All that the model says to this request, its maximum of tokens and its stops applied."""
    opened, prefix = _untagged(asked.prefix) if plan.think_tags else (False, asked.prefix)
    calls = _calls(asked, plan)
    said = _after_prefix(prefix, asked.way(plan), text_for(asked, plan))
    text = "" if calls and plan.calls_alone else said.answer
    answer, stopped = _until_stop(text, asked.stop)
    budget = Budget(asked.max_tokens)
    reasoning = budget.take(pieces(said.reasoning))
    spoken = budget.take(pieces(answer))
    called = () if stopped else tuple(_within(budget, call) for call in calls if budget.left != 0)
    finish = "length" if budget.short else "tool_calls" if called else "stop"
    usage = _usage(asked, plan, reasoning, spoken, called)
    closed = bool(spoken or called or finish != "length")
    tags = ("" if opened else "<think>", "</think>" if closed else "") if plan.think_tags else None
    return Speech(reasoning, spoken, called, finish, usage, tags)


def text_for(asked: Asked, plan: Plan) -> Writing:
    """The model's whole text, as if there were neither prefix nor limit.

    The seed is the plan's, else the request's `seed`, else 0: so a checker knows the text that a
    request must end with, whatever provider served it.
    """
    if plan.writing is not None:
        whole = plan.writing
    else:
        seed = plan.seed if plan.seed is not None else asked.seed or 0
        whole = written(seed, plan.reasoning_words, plan.answer_words, plan.style)
    return whole if asked.thinking else Writing("", whole.answer)


class Budget:
    """Tokens that may still be said; `short` once there were more of them than that."""

    def __init__(self, tokens: int | None) -> None:
        self.left = tokens
        self.short = False

    def take(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        if self.left is None:
            return tokens
        taken = tokens[: self.left]
        self.left -= len(taken)
        self.short = self.short or len(taken) < len(tokens)
        return taken


def _untagged(prefix: Prefix | None) -> tuple[bool, Prefix | None]:
    """A prefix whose reasoning is between tags in its answer; and whether the tag was there."""
    if prefix is None or not prefix.answer.startswith("<think>"):
        return False, prefix
    reasoning, _, answer = prefix.answer.removeprefix("<think>").partition("</think>")
    return True, Prefix(reasoning, answer)


def _after_prefix(prefix: Prefix | None, way: OnPrefix, whole: Writing) -> Writing:
    if prefix is None or way in (OnPrefix.RESTART, OnPrefix.REFUSE):
        return whole
    if way is OnPrefix.DEPART:
        return _other_words(whole)
    reasoning = "" if prefix.answer else rest_after(whole.reasoning, prefix.reasoning)
    answer = rest_after(whole.answer, prefix.answer) if prefix.answer else whole.answer
    if way is OnPrefix.CONTINUE:
        return Writing(reasoning, answer)
    # An echo repeats the text that the phase it goes on with had so far.
    if prefix.answer:
        return Writing("", prefix.answer + answer)
    return Writing(prefix.reasoning + reasoning, answer)


def _other_words(whole: Writing) -> Writing:
    """An answer as long as that, which shares no beginning with it."""
    words = whole.answer.split()[::-1]
    return Writing("", " ".join(words).capitalize())


def _until_stop(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    found = [place for place in (text.find(stop) for stop in stops if stop) if place >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _calls(asked: Asked, plan: Plan) -> tuple[Call, ...]:
    if asked.after_tool:
        return ()
    return tuple(_call(index, asked) for index in range(plan.tool_calls))


def _call(index: int, asked: Asked) -> Call:
    name = asked.tools[index % len(asked.tools)] if asked.tools else "get_departures"
    arguments = {
        "station": f"Harbour {index}",
        "platform": index + 1,
        "notes": "the 8:15 waits for the ferry, says the driver of the northern line",
        "tags": ["express", "üñí 🚂", 'quoted "text"'],
    }
    text = json.dumps(arguments, ensure_ascii=False)
    return Call(index, f"call_{index:02d}_fake", name, pieces(text))


def _within(budget: Budget, call: Call) -> Call:
    return replace(call, pieces=budget.take(call.pieces))


def _usage(
    asked: Asked,
    plan: Plan,
    reasoning: tuple[str, ...],
    answer: tuple[str, ...],
    calls: tuple[Call, ...],
) -> Usage:
    if plan.told == "zero":
        return Usage()
    arguments = sum(len(call.pieces) for call in calls)
    sent = input_tokens(asked.texts)
    return Usage(
        input_tokens=sent,
        cached_input_tokens=min(plan.cached_tokens, sent),
        output_tokens=len(reasoning) + len(answer) + arguments,
        reasoning_tokens=len(reasoning),
    )


BASES: tuple[tuple[str, str], ...] = (
    ("fake-demo", "a readable text about headways: reasoning, then an answer"),
    ("fake-reasoner-R-A", "R words of reasoning, then A words of answer"),
    ("fake-tools-R-N", "R words of reasoning, then N tool calls"),
    ("fake-A", "A words of answer, no reasoning (the card's healthy model is fake-60)"),
)


def base_plan(name: str, usual: Plan) -> Plan | None:
    """The plan that the first part of a model's name stands for; None if it stands for none.

    What the name does not say is as in `usual`.
    """
    words = name.split("-")
    numbers = tuple(int(word) for word in words if word.isdigit())
    match "-".join(word for word in words if not word.isdigit()), numbers:
        case "fake", (answer,):
            return replace(usual, reasoning_words=0, answer_words=answer)
        case "fake-reasoner", (reasoning, answer):
            return replace(usual, reasoning_words=reasoning, answer_words=answer)
        case "fake-tools", (reasoning, calls):
            return replace(usual, reasoning_words=reasoning, tool_calls=calls, calls_alone=True)
        case "fake-demo", ():
            return replace(usual, writing=DEMO)
    return None
