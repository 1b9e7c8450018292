"""The shape of a row of the table of faults, and how names of models are read by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from sidecar.testing.actions import Action
from sidecar.testing.asked import Plan, base_plan

Args = Mapping[str, str]

# What may stand for a parameter in the name of a model.
_PARAMETERS: dict[str, str] = {
    "K": r"\d+",
    "N": r"\d+",
    "S": r"\d+(?:\.\d+)?",
    "I": r"(?=[\d.]*[1-9])\d+(?:\.\d+)?",
    "R": r"(?=[\d.]*[1-9])\d+(?:\.\d+)?",
    "END": r"cut|rst|eof|half",
    "PHASE": r"reasoning|answer|tool|event|byte",
    "STATUS": r"[2-5]\d\d",
    "KEY": r".+",
}
_WINDOW = re.compile(r"@(?:(?P<first>\d+)(?P<open>\.\.)?(?P<last>\d+)?|(?P<seconds>[\d.]+)s)$")


class Fault(msgspec.Struct, frozen=True):
    """One row: a name with parameters, the rows of the failure card it serves, and what it does.

    `plan` changes what the model would do, `steps` the steps it would take; a row has one of
    them. In `name`, capitals are parameters and brackets hold what may be left out; `words` are
    what a parameter that is neither number, status nor key may be.
    """

    name: str
    cards: tuple[str, ...]
    does: str
    steps: Callable[..., Iterator[Action]] | None = None
    plan: Callable[[Plan, Args], Plan] | None = None
    words: tuple[str, ...] = ()

    def args(self, text: str) -> dict[str, str] | None:
        """The parameters in `text` if it is this fault, None if it is another."""
        match = _regex(self.name, self.words).fullmatch(text)
        if match is None:
            return None
        return {name: value for name, value in match.groupdict().items() if value}


class Window(msgspec.Struct, frozen=True):
    """When a fault applies: to attempts `first` to `last` on the model, or for some seconds.

    Written `@2` (the second attempt), `@2..4`, `@2..` and `@60s` (for 60 s from the first one).
    """

    first: int = 1
    last: int | None = None
    seconds: float | None = None

    def holds(self, number: int, since_first_s: float) -> bool:
        if self.seconds is not None:
            return since_first_s < self.seconds
        return self.first <= number and (self.last is None or number <= self.last)


class Applied(msgspec.Struct, frozen=True):
    """A fault as it stands in the name of a model."""

    text: str
    fault: Fault
    args: dict[str, str]
    window: Window

    def holds(self, number: int, since_first_s: float) -> bool:
        """Does it apply to attempt `number` on its model, so long after the first?"""
        return self.window.holds(number, since_first_s)


class Behaviour(msgspec.Struct, frozen=True):
    """What the name of a model means."""

    plan: Plan
    applied: tuple[Applied, ...]


class UnknownBehaviour(ValueError):
    """The name of a model, or a part of it, means nothing. The text says which part."""


def read_behaviour(name: str, faults: tuple[Fault, ...], usual: Plan) -> Behaviour:
    """Read `BASE+FAULT[@WINDOW]+...[#TAG]`; what the base does not say is as in `usual`.

    The tag means nothing: it makes a name of its own, so that attempts on it are counted apart.
    Raises UnknownBehaviour.
    """
    base, _, rest = name.partition("#")[0].partition("+")
    plan = base_plan(base, usual)
    if plan is None:
        raise UnknownBehaviour(f"no such model: {base!r}")
    return Behaviour(plan, applied_all(rest, faults))


def applied_all(text: str, faults: tuple[Fault, ...]) -> tuple[Applied, ...]:
    """All faults in `FAULT+FAULT`; empty parts mean nothing. Raises UnknownBehaviour."""
    return tuple(applied(part, faults) for part in text.split("+") if part)


def applied(part: str, faults: tuple[Fault, ...]) -> Applied:
    """One fault with its window. Raises UnknownBehaviour."""
    match = _WINDOW.search(part)
    text = part[: match.start()] if match else part
    for fault in faults:
        args = fault.args(text)
        if args is not None:
            return Applied(part, fault, args, read_window(match))
    raise UnknownBehaviour(f"no such fault: {part!r}")


def read_window(match: re.Match[str] | None) -> Window:
    """Windows: @2 the second attempt, @2..4, @2.., @60s for 60 s from the first one."""
    if match is None:
        return Window()
    if match["seconds"]:
        return Window(seconds=float(match["seconds"]))
    first = int(match["first"])
    if match["last"]:
        return Window(first, int(match["last"]))
    return Window(first, None if match["open"] else first)


def _regex(name: str, words: tuple[str, ...]) -> re.Pattern[str]:
    # The longest first: "anthropic" is a form of its own, and the beginning of another.
    choice = "|".join(sorted(map(re.escape, words), key=len, reverse=True))

    def parameter(match: re.Match[str]) -> str:
        return f"(?P<{match[0]}>{_PARAMETERS.get(match[0], choice)})"

    optional = name.replace("[", "(?:").replace("]", ")?")
    return re.compile(re.sub(r"[A-Z]+", parameter, optional))
