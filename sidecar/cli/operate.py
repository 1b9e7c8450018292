"""`headway reload` and `headway drain`."""

from __future__ import annotations

from headway import Client, HeadwayError

from sidecar.cli.advice import failed
from sidecar.cli.ending import MISUSED, Failed
from sidecar.cli.words import count


def reload(client: Client, target: str) -> None:
    """Let a daemon read its configuration and keys anew. Raises Failed if it refuses them."""
    try:
        before = client.status().config.version
        answer = client.reload()
        refused = client.status().config.HasField("refused")
    except HeadwayError as error:
        raise failed(error, target) from None
    told = [f"{e.path}: {e.message}" if e.path else e.message for e in answer.errors]
    if refused:
        raise Failed(f"refused; {answer.version} stays in force", *told, code=MISUSED)
    changed = f"{before} to {answer.version}" if answer.changed else f"{answer.version}, unchanged"
    print(f"configuration {changed}")
    for line in told:
        print(f"! {line}")


def drain(client: Client, target: str, grace_s: float | None) -> None:
    """Let a daemon finish what it does and end. Raises Failed."""
    try:
        answer = client.drain(grace_s)
    except HeadwayError as error:
        raise failed(error, target) from None
    print(f"{count(answer.finished, 'request')} finished, {answer.ended:,} ended with an error")
