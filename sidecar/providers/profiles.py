"""What is known of providers and models, as data. Quirks are values here, never ifs on names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

import msgspec

from sidecar.providers.think import ThinkMode

Resume = Literal["none", "prefill", "prefix"]
Auth = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key", "x-portkey-api-key", "none"]


class PrefixStyle(msgspec.Struct, frozen=True):
    """How a target is made to continue a partial assistant turn.

    `path` replaces the dialect's path. `message` and `body` are merged into the last message and
    into the request, `answer_body` too where the answer had begun. `reasoning_field` is the message
    field for a partial chain of thought, "" if none is taken. `behind_template`: the text is put
    behind whatever the template opens a turn with; where that is the tag of the thoughts, and the
    server does not know (`think_tags` "open"), they go in front of the answer in its own text.
    `echo` says that the reply repeats the prefix before it goes on.
    """

    path: str = ""
    message: dict[str, Any] = {}
    body: dict[str, Any] = {}
    answer_body: dict[str, Any] = {}
    reasoning_field: str = ""
    behind_template: bool = False
    echo: bool = False


class Quirks(msgspec.Struct, frozen=True):
    """Everything in which two servers of one dialect differ. Defaults: a plain compatible server.

    Decoding: `reasoning_fields` in order of preference; `think_tags` as in `think`;
    `reasoning_beside_output`: reasoning counts that exceed the output are not inside it;
    `error_causes`: machine words (lower case) to names of `Cause`; `whole_usage`: keys of which
    the usage of every whole stream has one, else a gateway finished it in its provider's stead.

    Encoding: `efforts` maps an effort to what is merged into the body; one that is missing is
    dropped and reported. `budget_path` is where a token budget goes (dotted), with `budget_body`
    merged first; "" means there is none: the budget is then mapped to an effort.
    `forced_tools`: may a tool be forced while thinking? "send" yes; "plain" only without thinking.
    `drop` and `drop_thinking` (while thinking) name options never sent: they only tune.
    `refuse` names options the target cannot do. `replay` says what goes back of earlier turns'
    reasoning: the text under `reasoning_content` ("text": in tool turns), the packed details, or
    nothing. `tool_ids` "mistral": nine letters and digits. `schema`, `json_object`: which formats
    are understood. `max_tokens_field` and `seed_field`: those options by the provider's names.
    `path` replaces the dialect's own path; `body` is merged into every request.
    `signed_calls`: a replayed tool call must carry a signature (Gemini 3).
    """

    reasoning_fields: tuple[str, ...] = (
        "reasoning_content",
        "reasoning",
        "content",
        "reasoning_details",
        "content_blocks",
    )
    think_tags: ThinkMode = "auto"
    reasoning_beside_output: bool = False
    error_causes: dict[str, str] = {}
    whole_usage: tuple[str, ...] = ()
    thinks_by_default: bool = False
    efforts: dict[str, dict[str, Any]] = {}
    budget_path: str = ""
    budget_body: dict[str, Any] = {}
    forced_tools: Literal["send", "plain"] = "send"
    drop: tuple[str, ...] = ()
    drop_thinking: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    max_tokens_field: str = "max_tokens"
    seed_field: str = "seed"
    stream_usage: bool = True
    system_role: str = "system"
    replay: Literal["none", "text", "details"] = "none"
    tool_ids: Literal["any", "mistral"] = "any"
    schema: bool = True
    json_object: bool = True
    prefix: PrefixStyle = PrefixStyle()
    signed_calls: bool = False
    path: str = ""
    body: dict[str, Any] = {}


class ModelProfile(msgspec.Struct, frozen=True):
    """One family of models. `upstream` is the name sent, "" for the name asked for.

    `resume`: "prefill" takes a partial answer, "prefix" a partial chain of thought as well.
    `reasoning`: it can think. `thinking` None: by request; True or False: fixed by the name.
    `context_tokens` and `max_output_tokens` are None where nobody told.
    `quirks` overrides fields of the provider's quirks.
    """

    reasoning: bool = False
    resume: Resume = "none"
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    images: bool = True
    tools: bool = True
    upstream: str = ""
    thinking: bool | None = None
    quirks: dict[str, Any] = {}


class Timeouts(msgspec.Struct, frozen=True):
    """Defaults for the phases of an attempt, in seconds; configuration may override each.

    `connect_s` and `headers_s` are one clock, from the attempt's begin to the response's headers;
    `first_event_s` runs from there to the first token, keep-alives not counted;
    `reasoning_gap_s`, `answer_gap_s` between tokens; `turn_gap_s` from thinking to answering.
    """

    connect_s: float = 5.0
    headers_s: float = 30.0
    first_event_s: float = 60.0
    reasoning_gap_s: float = 60.0
    turn_gap_s: float = 60.0
    answer_gap_s: float = 20.0
    total_s: float = 900.0


class ProviderProfile(msgspec.Struct, frozen=True):
    """One provider. `models` pairs a pattern (shell style, on the model's name) with a profile.

    The first pattern that fits counts. `telemetry_name` is the value of gen_ai.provider.name.
    `key_env` is the environment variable its users usually keep the key in. `headers` go with
    every call. `cost_header` and `trace_header` name response headers worth reading.
    """

    name: str
    dialect: str
    base_url: str
    auth: Auth = "bearer"
    key_env: str = ""
    telemetry_name: str = ""
    quirks: Quirks = Quirks()
    models: tuple[tuple[str, ModelProfile], ...] = ()
    default_model: ModelProfile = ModelProfile()
    headers: tuple[tuple[str, str], ...] = ()
    cost_header: str = ""
    trace_header: str = ""
    timeouts: Timeouts = Timeouts()


class TargetProfile(msgspec.Struct, frozen=True):
    """A provider and one of its models, with all overrides applied."""

    provider: ProviderProfile
    model: str
    profile: ModelProfile
    quirks: Quirks

    @property
    def upstream_model(self) -> str:
        """The model's name on the wire."""
        return self.profile.upstream or self.model

    @property
    def resume(self) -> Resume:
        """How a broken answer may be continued here. Thoughts that are text of the turn like any
        other go on as it does."""
        if self.profile.resume == "prefill" and self.thoughts_in_text:
            return "prefix"
        return self.profile.resume

    @property
    def takes_reasoning_prefix(self) -> bool:
        """True if a chain of thought that was cut may be continued here."""
        taken = self.quirks.prefix.reasoning_field or self.thoughts_in_text
        return self.resume == "prefix" and bool(taken)

    @property
    def thoughts_in_text(self) -> bool:
        """True if the text of a turn begins among the thoughts, a partial one as well."""
        return self.quirks.prefix.behind_template and self.quirks.think_tags == "open"


T = TypeVar("T", bound=msgspec.Struct)


def model_profile(provider: ProviderProfile, model: str) -> ModelProfile:
    """What the provider's table says of `model`."""
    for pattern, profile in provider.models:
        if fnmatchcase(model, pattern):
            return profile
    return provider.default_model


def target(
    provider: ProviderProfile, model: str, overrides: dict[str, Any] | None = None
) -> TargetProfile:
    """The target for `model`; `overrides` are fields of ModelProfile from the configuration.

    Raises ValueError, naming the field, if an override does not fit.
    """
    profile = merged(model_profile(provider, model), overrides or {})
    quirks = merged(provider.quirks, profile.quirks)
    return TargetProfile(provider, model, profile, quirks)


def merge(base: ProviderProfile, overrides: dict[str, Any]) -> ProviderProfile:
    """`base` with fields replaced; `quirks` is merged field by field, models are put in front.

    `overrides["models"]` maps a pattern to fields of ModelProfile, laid over what the table says
    of that very pattern. Raises ValueError, naming the field, if an override does not fit.
    """
    overrides = dict(overrides)
    quirks = merged(base.quirks, overrides.pop("quirks", {}))
    default = merged(base.default_model, overrides.pop("default_model", {}))
    models = tuple(
        (pattern, merged(model_profile(base, pattern), fields))
        for pattern, fields in overrides.pop("models", {}).items()
    )
    changed = merged(base, overrides)
    return msgspec.structs.replace(
        changed, quirks=quirks, default_model=default, models=models + base.models
    )


def merged(base: T, fields: dict[str, Any]) -> T:
    """`base` with `fields` laid over it, checked by type."""
    if not fields:
        return base
    known = {field.name for field in msgspec.structs.fields(base)}
    for name in fields:
        if name not in known:
            raise ValueError(f"{name}: no such field; known are {', '.join(sorted(known))}")
    plain = msgspec.to_builtins(base)
    for name, value in fields.items():
        both = isinstance(plain[name], dict) and isinstance(value, dict) and name in _DEEP
        plain[name] = {**plain[name], **value} if both else value
    return msgspec.convert(plain, type(base))


# Tables inside a profile that are laid over key by key; all others are replaced.
_DEEP = frozenset({"efforts", "error_causes", "quirks", "prefix"})
