"""The catalogue: from the name a caller gives to the targets that can do what is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import Completion, Image, ImageUrl
from sidecar.core.target import Route, Target


class Catalog:
    """Routes by name; `provider/model` names a target of a configured provider directly.

    `target_of(provider, model)` gives the target for a direct name, None for an unknown provider.
    """

    def __init__(
        self, routes: Iterable[Route], target_of: Callable[[str, str], Target | None]
    ) -> None:
        self.routes = {route.name: route for route in routes}
        self._target_of = target_of

    def route(self, completion: Completion) -> Route:
        """The route for `completion`, cut down to targets that can do what is asked.

        Raises RequestFailed (UNKNOWN_MODEL, or PROVIDER_REFUSED where no target is able).
        """
        route = self.routes.get(completion.model) or self._direct(completion.model)
        able = tuple(target for target in route.targets if not missing(target, completion))
        if able:
            return route if len(able) == len(route.targets) else _with_targets(route, able)
        wanted = sorted({word for target in route.targets for word in missing(target, completion)})
        raise RequestFailed(
            Reason.PROVIDER_REFUSED,
            f"no target of {completion.model!r} can do what is asked: {', '.join(wanted)}",
            field="completion",
            metadata={"model": completion.model, "missing": ",".join(wanted)},
        )

    def _direct(self, name: str) -> Route:
        provider, slash, model = name.partition("/")
        target = self._target_of(provider, model) if slash and model else None
        if target is not None:
            return Route(name=name, targets=(target,))
        known = ", ".join(sorted(self.routes)) or "none configured"
        raise RequestFailed(
            Reason.UNKNOWN_MODEL,
            f"no route or provider/model is called {name!r}; routes: {known}",
            field="completion.model",
            metadata={"model": name},
        )


def missing(target: Target, completion: Completion) -> list[str]:
    """What `completion` asks for and `target` is known not to do."""
    out = []
    if completion.tools and not target.tools:
        out.append("tools")
    if not target.images and _has_images(completion):
        out.append("images")
    return out


def _has_images(completion: Completion) -> bool:
    return any(
        isinstance(part, Image | ImageUrl)
        for message in completion.messages
        for part in message.content
    )


def _with_targets(route: Route, targets: tuple[Target, ...]) -> Route:
    return Route(
        name=route.name,
        targets=targets,
        on_interruption=route.on_interruption,
        handoff=route.handoff,
        retries=route.retries,
        patience_s=route.patience_s,
    )
