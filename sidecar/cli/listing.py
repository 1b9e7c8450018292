"""`headway models` and `headway providers`: what may be asked for, and what is known of whom."""

from __future__ import annotations

from headway import Client, HeadwayError
from headway.v1 import control_pb2, request_pb2

from sidecar.cli.advice import failed
from sidecar.cli.table import table
from sidecar.cli.words import usd
from sidecar.providers.profiles import ProviderProfile
from sidecar.providers.table import PROFILES

RESUMES = {
    control_pb2.RESUME_SUPPORT_NONE: "begun anew",
    control_pb2.RESUME_SUPPORT_PREFIX: "continued",
    control_pb2.RESUME_SUPPORT_PREFILL: "answer continued",
}
INTERRUPTIONS = {
    request_pb2.ON_INTERRUPTION_RESUME: "resume",
    request_pb2.ON_INTERRUPTION_RESTART: "restart",
    request_pb2.ON_INTERRUPTION_FAIL: "fail",
}


def models(client: Client, target: str) -> None:
    """Print the routes and targets of a daemon. Raises Failed."""
    try:
        answer = client.models()
    except HeadwayError as error:
        raise failed(error, target) from None
    rows = [
        [r.name, INTERRUPTIONS.get(r.on_interruption, "?"), ", then ".join(r.targets)]
        for r in answer.routes
    ]
    print("\n".join(table(("route", "if it breaks", "targets"), rows)), end="\n\n")
    print("\n".join(table(_HEAD, [_target(found) for found in answer.targets], "    rrr")))


_HEAD = ("target", "dialect", "can", "a broken stream is", "context", "in", "out")


def _target(target: control_pb2.Target) -> list[str]:
    able = [control_pb2.Capability.Name(c) for c in target.capabilities]
    words = [name.removeprefix("CAPABILITY_").lower().replace("_", " ") for name in able]
    thinks = target.reasoning != control_pb2.REASONING_SUPPORT_NEVER
    price = target.price
    known = target.HasField("price")
    return [
        f"{target.provider}/{target.model}",
        target.dialect,
        ", ".join([*(["think"] if thinks else []), *words]),
        RESUMES.get(target.resume, "tried"),
        f"{target.context_tokens:,}" if target.context_tokens else "?",
        usd(price.input_nano_usd_per_million) if known else "?",
        usd(price.output_nano_usd_per_million) if known else "?",
    ]


def providers() -> None:
    """Print the providers whose name alone is enough in a configuration."""
    rows = [_provider(profile) for profile in PROFILES.values()]
    print("\n".join(table(("provider", "dialect", "key in", "address"), rows)))


def _provider(profile: ProviderProfile) -> list[str]:
    return [
        profile.name,
        profile.dialect,
        profile.key_env or "-",
        profile.base_url or "(yours: set base_url)",
    ]
