"""Rules that every dialect encodes by: what is refused, what is dropped, what effort is meant."""

from __future__ import annotations

import copy
from typing import Any

from sidecar.core.request import Completion, Effort, ImageUrl, Text
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import TargetProfile

# A token budget told to a provider that knows efforts only, and the other way round. The bounds
# are this project's choice; a budget that is mapped is reported as dropped, for it binds nobody.
BUDGET_EFFORTS = ((0, Effort.NONE), (2_048, Effort.LOW), (8_192, Effort.MEDIUM))
EFFORT_BUDGETS = {
    Effort.NONE: 0,
    Effort.LOW: 1_024,
    Effort.MEDIUM: 4_096,
    Effort.HIGH: 16_384,
    Effort.MAX: 32_768,
}


# Options that only tune the answer: dropped and reported where a target does not take them.
TUNING = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")


class Body:
    """A request body in the making, and the list of what was not sent as asked."""

    __slots__ = ("dropped", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.dropped: list[str] = []

    def drop(self, name: str) -> None:
        if name not in self.dropped:
            self.dropped.append(name)

    def merge(self, more: dict[str, Any]) -> None:
        """Lay `more` over the body; objects are joined, everything else is replaced."""
        _join(self.fields, more)

    def put(self, path: str, value: Any) -> None:
        """Set a value at a dotted path."""
        *parents, last = path.split(".")
        place = self.fields
        for name in parents:
            place = place.setdefault(name, {})
        place[last] = value


def effort_of(completion: Completion) -> Effort | None:
    """The effort asked for, by name or by budget; None for the provider's default."""
    asked = completion.reasoning
    if asked.effort is not None or asked.token_budget is None:
        return asked.effort
    return next(
        (effort for bound, effort in BUDGET_EFFORTS if asked.token_budget <= bound), Effort.HIGH
    )


def thinking(completion: Completion, target: TargetProfile) -> bool:
    """Will this call think? By the model's name, else by the request, else by default."""
    if not target.profile.reasoning:
        return False
    if target.profile.thinking is not None:
        return target.profile.thinking
    effort = effort_of(completion)
    if effort is None:
        return target.quirks.thinks_by_default
    return effort is not Effort.NONE


def check(completion: Completion, target: TargetProfile) -> None:
    """Raise Unsupported for what this target cannot do at all."""
    profile, quirks = target.profile, target.quirks
    asked = {
        "tools": bool(completion.tools),
        "stop": bool(completion.stop),
        "tool_choice": forced(completion),
        "response_format": completion.response_format is not None
        and completion.response_format.kind != "text",
    }
    if completion.tools and not profile.tools:
        raise Unsupported("tools", f"{target.model} takes no tools")
    for name in quirks.refuse:
        if asked.get(name):
            raise Unsupported(name, f"{target.model} does not take {name}")
    if not profile.images and has_images(completion):
        raise Unsupported("messages", f"{target.model} takes no images")


def reasoning(completion: Completion, target: TargetProfile, body: Body) -> bool:
    """Say how hard to think, in the words of the profile; return whether the call thinks at all.

    Raises Unsupported where a tool is forced although thinking was asked for and forbids it.
    """
    thinks = thinking(completion, target)
    if forced(completion) and thinks and target.quirks.forced_tools == "plain":
        return _plain(completion, target, body)
    asked = completion.reasoning
    if target.profile.thinking is not None:
        _fixed(completion, target, body)
        return thinks
    if not target.profile.reasoning:
        if effort_of(completion) not in (None, Effort.NONE):
            body.drop("reasoning")
        return False
    if asked.token_budget and asked.effort is None and target.quirks.budget_path:
        body.merge(target.quirks.budget_body)
        body.put(target.quirks.budget_path, asked.token_budget)
        return thinks
    if asked.token_budget is not None:
        body.drop("reasoning.token_budget")
    effort = effort_of(completion)
    if effort is not None:
        _effort(effort, target, body)
    return thinks


def forced(completion: Completion) -> bool:
    """True if the model must call a tool."""
    choice = completion.tool_choice
    return bool(completion.tools) and choice is not None and choice.mode in ("required", "named")


def tuning(
    completion: Completion, target: TargetProfile, thinks: bool, body: Body
) -> dict[str, Any]:
    """The tuning options that the target takes, by their names here; the others are dropped."""
    taken = {}
    for name in TUNING:
        value = getattr(completion, name)
        if value is None:
            continue
        if dropped_here(name, target, thinks):
            body.drop(name)
        else:
            taken[name] = value
    return taken


def has_images(completion: Completion) -> bool:
    return any(
        not isinstance(part, Text) for message in completion.messages for part in message.content
    )


def dropped_here(name: str, target: TargetProfile, thinks: bool) -> bool:
    """True if the target ignores or refuses an option that only tunes."""
    quirks = target.quirks
    return name in quirks.drop or (thinks and name in quirks.drop_thinking)


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """Provider options with whole floats as integers: a protobuf Struct knows only doubles."""
    return {name: _whole(value) for name, value in options.items()}


def image_address(part: ImageUrl) -> tuple[str, str] | None:
    """Media type and base64 text of a data: URL; None for an address elsewhere."""
    head, comma, data = part.url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return head[5:-7] or "image/png", data


def _effort(effort: Effort, target: TargetProfile, body: Body) -> None:
    fragment = target.quirks.efforts.get(effort.value)
    if fragment is None:
        body.drop("reasoning.effort")
    else:
        body.merge(fragment)


def _fixed(completion: Completion, target: TargetProfile, body: Body) -> None:
    """A model whose name says whether it thinks; an effort above NONE still says how hard."""
    effort = effort_of(completion)
    thinks = target.profile.thinking
    if effort is not None and (effort is not Effort.NONE) == thinks:
        _effort(effort, target, body)
        return
    if effort is not None:
        body.drop("reasoning.effort")
    body.merge(target.quirks.efforts.get((Effort.HIGH if thinks else Effort.NONE).value, {}))


def _plain(completion: Completion, target: TargetProfile, body: Body) -> bool:
    """A forced tool where thinking forbids it: thinking gives way, unless it was asked for."""
    off = target.quirks.efforts.get(Effort.NONE.value)
    if effort_of(completion) is not None or target.profile.thinking or off is None:
        raise Unsupported("tool_choice", f"{target.model} cannot force a tool while thinking")
    body.merge(off)
    body.drop("reasoning")
    return False


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _join(place: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        own = place.get(name)
        if isinstance(own, dict) and isinstance(value, dict):
            _join(own, value)
        else:
            place[name] = copy.deepcopy(value)
