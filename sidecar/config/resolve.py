"""From the shape to the sense: built-in knowledge laid under it, every reference looked up.

All problems are collected with their paths; nothing here reads a file, a key or the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, get_args

import msgspec

from sidecar.config import checks
from sidecar.config.durations import seconds
from sidecar.config.limits import ResolvedLimit, resolved_limit
from sidecar.config.load import BadConfig, Problem
from sidecar.config.schema import Account, Config, KeySource, Model, Provider, RouteConfig
from sidecar.core.target import Hedge, Phases, Resume, Route, Target
from sidecar.providers.profiles import (
    Auth,
    ProviderProfile,
    TargetProfile,
    merge,
    target,
)

# A model that thinks may be silent this long before its first token (failure card, H24: 90 to
# 120 s are normal); a provider that is known to queue longer has its own figure.
THINKING_FIRST_S = 180.0

PHASES = {
    "connect": "connect_s",
    "headers": "headers_s",
    "first_event": "first_event_s",
    "reasoning_gap": "reasoning_gap_s",
    "turn_gap": "turn_gap_s",
    "answer_gap": "answer_gap_s",
    "total": "total_s",
    "rate_window": "rate_window_s",
}
# A figure among them, in tokens per second: below it an attempt is too slow.
FLOOR = "min_tokens_per_s"


class ResolvedAccount(msgspec.Struct, frozen=True):
    """An account with its limits made definite."""

    name: str
    keys: tuple[KeySource, ...]
    limits: tuple[ResolvedLimit, ...]

    @property
    def per_key(self) -> bool:
        """Are all of its limits written per key?"""
        return bool(self.limits) and all(limit.each_key for limit in self.limits)


class ResolvedProvider(msgspec.Struct, frozen=True):
    """A provider with the built-in table laid under the configuration."""

    name: str
    profile: ProviderProfile
    accounts: tuple[ResolvedAccount, ...]
    models: Mapping[str, Model]
    timeouts: Mapping[str, float] = {}
    model_timeouts: Mapping[str, Mapping[str, float]] = {}
    ca_file: str = ""
    proxy: str = ""
    propagate_trace: bool = False

    @property
    def keyless(self) -> bool:
        """Has it no key, and can it do without? A server of one's own can: one that nobody is
        known to need a key for, that is told to have none, or that is spoken to without TLS."""
        if any(account.keys for account in self.accounts):
            return False
        profile = self.profile
        plain = profile.base_url.startswith("http://")
        return profile.auth == "none" or not profile.key_env or plain

    def target_profile(self, model: str) -> TargetProfile:
        """How `model` is spoken to. Raises ValueError if an override does not fit."""
        return target(self.profile, model)

    def target(self, model: str) -> Target:
        """What `model` can be asked to do, and its clocks."""
        profile = self.target_profile(model)
        return Target(
            provider=self.name,
            model=model,
            resume=_resume(profile),
            reasoning=profile.profile.reasoning,
            images=profile.profile.images,
            tools=profile.profile.tools,
            context_tokens=profile.profile.context_tokens,
            phases=self._phases(model, profile),
        )

    def _phases(self, model: str, profile: TargetProfile) -> Phases:
        of_model = (own for name, own in self.model_timeouts.items() if fnmatchcase(model, name))
        given = {**self.timeouts, **next(of_model, {})}
        floor = {name: given.pop(name) for name in (FLOOR, "rate_window_s") if name in given}
        own = msgspec.structs.replace(profile.provider.timeouts, **given)
        first_s = own.first_event_s
        if profile.profile.reasoning and "first_event_s" not in given:
            first_s = max(first_s, THINKING_FIRST_S)
        return Phases(
            connect_s=own.connect_s,
            headers_s=own.headers_s,
            first_s=first_s,
            reasoning_gap_s=own.reasoning_gap_s,
            turn_s=own.turn_gap_s,
            answer_gap_s=own.answer_gap_s,
            total_s=own.total_s,
            **floor,
        )


class Resolved(msgspec.Struct, frozen=True):
    """A configuration that makes sense."""

    config: Config
    providers: Mapping[str, ResolvedProvider]
    routes: tuple[Route, ...]
    warnings: tuple[Problem, ...] = ()

    @property
    def weights(self) -> Mapping[str, float]:
        """Each caller's share of a queue, where it is not 1."""
        return {name: caller.weight for name, caller in self.config.callers.items()}


def resolve(config: Config, builtin: Mapping[str, ProviderProfile], dialects: set[str]) -> Resolved:
    """`config` made definite. Raises BadConfig with everything that is wrong."""
    resolver = _Resolver(builtin, dialects, config.providers)
    providers = {
        name: found
        for name, raw in config.providers.items()
        if (found := resolver.provider(name, raw)) is not None
    }
    routes = tuple(
        route
        for name, raw in config.routes.items()
        if (route := resolver.route(name, raw, providers)) is not None
    )
    resolver.problems.extend(checks.problems(config))
    if not config.providers:
        resolver.wrong("providers", "there is none; name at least one with an account and a key")
    if resolver.problems:
        raise BadConfig(sorted(resolver.problems))
    return Resolved(config, providers, routes, tuple(resolver.warnings))


class _Resolver:
    """Collects problems and warnings while it looks things up."""

    def __init__(
        self,
        builtin: Mapping[str, ProviderProfile],
        dialects: set[str],
        written: Mapping[str, Provider],
    ) -> None:
        self._written = written
        self._builtin = builtin
        self._dialects = dialects
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def wrong(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def provider(self, name: str, raw: Provider) -> ResolvedProvider | None:
        path = f"providers.{name}"
        if "/" in name or not name.strip():
            self.wrong(path, "expected a name without a slash: callers write provider/model")
        timeouts = self._timeouts(raw.timeouts, f"{path}.timeouts")
        model_timeouts = {
            model: self._timeouts(given.timeouts, f"{path}.models.{model}.timeouts")
            for model, given in raw.models.items()
        }
        profile = self._profile(name, raw, path)
        accounts = tuple(
            self._account(account, value, f"{path}.accounts.{account}")
            for account, value in raw.accounts.items()
        )
        self._keys(raw, path)
        if profile is None:
            return None
        return ResolvedProvider(
            name=name,
            profile=profile,
            accounts=accounts,
            models=raw.models,
            timeouts=timeouts,
            model_timeouts=model_timeouts,
            ca_file=raw.ca_file,
            proxy=raw.proxy,
            propagate_trace=raw.propagate_trace,
        )

    def _profile(self, name: str, raw: Provider, path: str) -> ProviderProfile | None:
        base = self._builtin.get(name) or ProviderProfile(name, raw.dialect, raw.base_url)
        try:
            profile = merge(base, self._overrides(raw, path))
            for model in raw.models:
                target(profile, model)
        except (ValueError, msgspec.ValidationError) as error:
            self.wrong(path, str(error))
            return None
        if profile.dialect not in self._dialects:
            self.wrong(f"{path}.dialect", f"expected one of {', '.join(sorted(self._dialects))}")
        if not checks.is_http(profile.base_url):
            self.wrong(f"{path}.base_url", "expected an http:// or https:// address")
        if raw.proxy and not checks.is_http(raw.proxy):
            self.wrong(f"{path}.proxy", "expected an http:// or https:// address")
        return msgspec.structs.replace(profile, base_url=profile.base_url.rstrip("/"))

    def _overrides(self, raw: Provider, path: str) -> dict[str, Any]:
        overrides: dict[str, Any] = {
            field: getattr(raw, field) for field in ("dialect", "base_url") if getattr(raw, field)
        }
        if raw.auth:
            if raw.auth not in get_args(Auth):
                self.wrong(f"{path}.auth", f"expected one of {', '.join(get_args(Auth))}")
            else:
                overrides["auth"] = raw.auth
        if raw.headers:
            overrides["headers"] = list(raw.headers.items())
        if raw.quirks:
            overrides["quirks"] = raw.quirks
        if raw.default_model is not None:
            overrides["default_model"] = _model_fields(raw.default_model)
        if raw.models:
            overrides["models"] = {n: _model_fields(m) for n, m in raw.models.items()}
        return overrides

    def _timeouts(self, given: Mapping[str, str | float], path: str) -> dict[str, float]:
        """What was given, by field of Timeouts."""
        known = {name: value for name, value in given.items() if name in PHASES}
        for name in given.keys() - known - {FLOOR}:
            self.wrong(f"{path}.{name}", f"expected one of {', '.join((*PHASES, FLOOR))}")
        found = {PHASES[n]: self._duration(f"{path}.{n}", value) for n, value in known.items()}
        if found.get("rate_window_s") == 0:
            self.wrong(f"{path}.rate_window", "must be longer than nothing")
        if FLOOR in given:
            found[FLOOR] = self._floor(f"{path}.{FLOOR}", given[FLOOR])
        return found

    def _floor(self, path: str, value: str | float) -> float:
        if isinstance(value, str) or not value >= 0:
            self.wrong(path, f"expected tokens per second, 0 for no floor, got {value!r}")
            return 0.0
        return float(value)

    def _account(self, name: str, raw: Account, path: str) -> ResolvedAccount:
        limits = self._limits(name, raw, f"{path}.limits")
        if len(raw.keys) > 1 and not raw.limits:
            self.warnings.append(
                Problem(path, "several keys share one account: its quota exists once, not per key")
            )
        return ResolvedAccount(name, raw.keys, limits)

    def _limits(self, account: str, raw: Account, path: str) -> tuple[ResolvedLimit, ...]:
        found: dict[str, ResolvedLimit] = {}
        places: dict[str, int] = {}
        for index, limit in enumerate(raw.limits):
            try:
                made = resolved_limit(limit)
            except ValueError as error:
                self.wrong(f"{path}[{index}]", str(error))
                continue
            bucket = made.bucket("", account, "").id
            if bucket in found:
                self.wrong(f"{path}[{index}]", f"counts the same as limits[{places[bucket]}]")
            found[bucket], places[bucket] = made, index
        return tuple(found.values())

    def _keys(self, raw: Provider, path: str) -> None:
        seen: dict[str, str] = {}
        for account, value in raw.accounts.items():
            for index, key in enumerate(value.keys):
                where = f"{path}.accounts.{account}.keys[{index}]"
                self.problems.extend(checks.key_source(key, where))
                if key.name and key.name in seen:
                    self.wrong(where, f"{key.name!r} is already the name of {seen[key.name]}")
                seen.setdefault(key.name, where)

    def route(
        self, name: str, raw: RouteConfig, providers: Mapping[str, ResolvedProvider]
    ) -> Route | None:
        path = f"routes.{name}"
        targets = [
            found
            for index, text in enumerate(raw.targets)
            if (found := self._target(f"{path}.targets[{index}]", text, providers)) is not None
        ]
        for index, text in enumerate(raw.targets):
            if text in raw.targets[:index]:
                self.wrong(f"{path}.targets[{index}]", f"{text} stands twice")
        if not raw.targets:
            self.wrong(f"{path}.targets", "expected at least one provider/model")
        if raw.retries < 0:
            self.wrong(f"{path}.retries", "must not be negative")
        patience_s = self._duration(f"{path}.patience", raw.patience)
        if len(targets) != len(raw.targets) or not targets:
            return None
        return Route(
            name=name,
            targets=tuple(targets),
            on_interruption=raw.on_interruption,
            handoff=raw.handoff,
            retries=raw.retries,
            patience_s=patience_s,
            hedge=self._hedge(f"{path}.hedge", raw),
        )

    def _hedge(self, path: str, raw: RouteConfig) -> Hedge | None:
        if raw.hedge is None:
            return None
        if not 0 < raw.hedge.share <= 1:
            self.wrong(f"{path}.share", f"expected more than 0, to 1, got {raw.hedge.share:g}")
        if len(raw.targets) < 2:
            self.warnings.append(Problem(path, "has no effect: the route has one target"))
        learned = raw.hedge.after == "p95"
        after_s = None if learned else self._duration(f"{path}.after", raw.hedge.after)
        return Hedge(after_s, raw.hedge.share)

    def _target(
        self, path: str, text: str, providers: Mapping[str, ResolvedProvider]
    ) -> Target | None:
        provider, slash, model = text.partition("/")
        if not slash or not model:
            self.wrong(path, f"expected provider/model, got {text!r}")
        elif provider in providers:
            return providers[provider].target(model)
        elif provider not in self._written:
            known = ", ".join(sorted(self._written)) or "none"
            self.wrong(path, f"no provider is called {provider!r}; configured are {known}")
        return None

    def _duration(self, path: str, value: str | float) -> float:
        try:
            return seconds(value)
        except ValueError as error:
            self.wrong(path, str(error))
            return 0.0


def _model_fields(model: Model) -> dict[str, Any]:
    """What the configuration overrides of a model's profile."""
    fields = ("reasoning", "resume", "context_tokens", "max_output_tokens", "images", "tools",
              "upstream")  # fmt: skip
    found = {name: getattr(model, name) for name in fields if getattr(model, name) is not None}
    return {**found, "quirks": model.quirks} if model.quirks else found


def _resume(profile: TargetProfile) -> Resume:
    """A prefix is only as good as its wire format: without a field for reasoning, a prefill."""
    asked = Resume(profile.resume)
    if asked is Resume.PREFIX and not profile.takes_reasoning_prefix:
        return Resume.PREFILL
    return asked
