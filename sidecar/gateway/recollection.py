"""Reasoning kept for the next turn: what it is kept under, and where it goes back.

Providers refuse a tool turn (or answer it worse) whose reasoning or signature does not come back. A
caller that carries neither gets them put back from here, but only into the very turn they belong
to, for the very model that made them, and never for another caller. What a caller sends itself is
never replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from sidecar.core.events import AttemptSummary, Continuation, Outcome
from sidecar.core.request import Message, Role, ToolUse
from sidecar.core.transcript import Transcript
from sidecar.providers.profiles import TargetProfile

# Dialects whose answers carry opaque state (signatures, encrypted items) that has to go back.
SIGNED = frozenset({"anthropic", "gemini", "gemini-interactions", "openai-responses"})

# Of these, the ones whose encrypted items belong to the organisation that made them: OpenAI answers
# another one's with 400, invalid_encrypted_content.
SEALED = frozenset({"openai-responses"})

# Of a long history so many assistant turns are completed, the latest: none before them belongs to a
# tool turn that still runs (our choice).
MOST_TURNS = 64


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """The chain of thought of one assistant turn, and its signature."""

    reasoning: str = ""
    signature: str = ""


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Who may see what was kept: one caller, and the target that made it. `provider` is its name
    in the configuration, `model` the name on the wire. `account` is set where no other account of
    the provider can open what was kept."""

    caller: str
    dialect: str
    provider: str
    model: str
    account: str = ""


class Lookup(msgspec.Struct, frozen=True):
    """A turn of the history that lacks something, and the name it would be kept under."""

    place: int
    key: str


def replays(target: TargetProfile) -> bool:
    """Does this target want anything of earlier turns' reasoning back?"""
    wants = target.quirks.replay != "none" or target.provider.dialect in SIGNED
    return wants and target.profile.reasoning


def worth_keeping(
    said: Transcript, attempts: list[AttemptSummary], target: TargetProfile
) -> Kept | None:
    """What to keep of a stream that is whole; None for nothing.

    Signatures count wherever they come; a plain chain of thought only with tool calls, because no
    provider wants it back otherwise.
    """
    if not replays(target):
        return None
    signature = said.signature if of_one_hand(attempts) else ""
    needed = said.tool_calls and said.reasoning and target.quirks.replay != "none"
    return Kept(said.reasoning, signature) if signature or needed else None


def of_one_hand(attempts: list[AttemptSummary]) -> bool:
    """True if one target said all that the transcript holds: no other's text was continued."""
    last = attempts[-1]
    authors = {(last.provider, last.model)}
    resumed = last.continuation is Continuation.RESUMED
    for earlier in reversed(attempts[:-1]):
        if not resumed:
            break
        if earlier.outcome is Outcome.INTERRUPTED:
            authors.add((earlier.provider, earlier.model))
            resumed = earlier.continuation is Continuation.RESUMED
    return len(authors) == 1


def key_of_answer(owner: Owner, before: tuple[Message, ...], said: Transcript) -> str:
    """The name for the answer that was just given to the conversation `before`."""
    calls = said.tool_calls
    context = _near(before) if calls else _contexts(before, {len(before)})[len(before)]
    return _key(owner, context, calls, said.answer)


def lookups(owner: Owner, messages: tuple[Message, ...]) -> list[Lookup]:
    """The assistant turns of a history that came back without a signature, and their names."""
    wanted = [place for place, message in enumerate(messages) if _incomplete(message)][-MOST_TURNS:]
    answers = {place for place in wanted if not messages[place].tool_calls}
    contexts = _contexts(messages, answers)
    found = []
    for place in wanted:
        message = messages[place]
        context = (
            contexts[place] if place in answers else _near(messages[max(place - 1, 0) : place])
        )
        found.append(Lookup(place, _key(owner, context, message.tool_calls, message.text)))
    return found


def restored(
    messages: tuple[Message, ...], found: Mapping[int, Kept], target: TargetProfile
) -> tuple[Message, ...]:
    """The history with what was kept put back, by the place of the turn."""
    text = target.quirks.replay != "none"
    return tuple(
        _restored(message, found[place], text) if place in found else message
        for place, message in enumerate(messages)
    )


def _restored(message: Message, kept: Kept, text: bool) -> Message:
    """A chain of thought that the caller sends is its own; it may have been edited, and then the
    signature of the old one does not belong to it."""
    own = message.reasoning.strip()
    if own and own != kept.reasoning.strip():
        return message
    reasoning = message.reasoning or (kept.reasoning if text else "")
    return msgspec.structs.replace(message, reasoning=reasoning, signature=kept.signature)


def _incomplete(message: Message) -> bool:
    said = message.tool_calls or message.text
    return message.role is Role.ASSISTANT and not message.signature and bool(said)


def _contexts(messages: tuple[Message, ...], places: set[int]) -> dict[int, bytes]:
    """What each of `places` names its conversation by: everything said before it."""
    contexts, context = {}, hashlib.blake2b(digest_size=20)
    last = max(places, default=0)
    for place, message in enumerate(messages[:last]):
        if place in places:
            contexts[place] = context.digest()
        context.update(_turn(message))
    contexts[last] = context.digest()
    return contexts


def _near(before: tuple[Message, ...]) -> bytes:
    """What a tool turn names its place by: the turn right before it."""
    return _turn(before[-1]) if before else b""


def _key(owner: Owner, context: bytes, calls: tuple[ToolUse, ...], answer: str) -> str:
    """Tool calls are known by ids, names and arguments and by the turn they answered (some servers
    number their calls from 0 in every answer); other turns by the whole conversation before them.
    """
    said = [(call.id, call.name, _canonical(call.arguments)) for call in calls]
    told = _encode((owner, context, said, "" if calls else answer.strip()))
    # In braces what a Redis Cluster places keys by: one request's keys must be one node's.
    place = hashlib.blake2b(_encode(owner), digest_size=8).hexdigest()
    return f"turn:{{{place}}}:{hashlib.blake2b(told, digest_size=20).hexdigest()}"


def _canonical(arguments: str) -> bytes:
    """Arguments as a client writes them again that has parsed them in between."""
    try:
        return _ordered(msgspec.json.decode(arguments or "{}"))
    except (ValueError, RecursionError):
        return arguments.encode("utf-8", "replace")


def _turn(message: Message) -> bytes:
    """A turn by what every client sends back of it: neither reasoning nor signature."""
    calls = [(call.id, call.name, _canonical(call.arguments)) for call in message.tool_calls]
    parts = message.text.strip() if message.role is Role.ASSISTANT else message.content
    told = _encode((message.role.value, parts, calls, message.tool_call_id))
    return hashlib.blake2b(told, digest_size=20).digest()


_encode = msgspec.msgpack.Encoder().encode
_ordered = msgspec.json.Encoder(order="sorted").encode
