"""Handing kept reasoning to a target that cannot continue it: as notes, in the request itself.

The rule, the same for every dialect: the notes are quoted in one text part. If the caller's last
turn is a user's, the part stands at its end, behind everything that a provider may have cached. If
it is a tool's result or an assistant's, the part joins the system message, so that turns still
alternate as the caller wrote them. Nothing else of the request changes.
"""

from __future__ import annotations

import msgspec

from sidecar.core.request import Completion, Message, Role, Text

WORDS = (
    "[Notes: your reasoning on this request so far, interrupted. Take it as your own, do not "
    "repeat or mention it, think on from where it stops only as far as needed, and then answer.]\n"
    "{notes}\n[End of the notes.]"
)
# The words around the notes, UTF-8 bytes: they are input, and paid for, as well.
FRAME_BYTES = len(WORDS.format(notes="").encode())


def given(completion: Completion, notes: str) -> Completion:
    """The request with the notes of an attempt that broke."""
    part = Text(WORDS.format(notes=notes))
    messages = completion.messages
    if messages[-1].role is Role.USER:
        return _with(completion, (*messages[:-1], _longer(messages[-1], part)))
    if messages[0].role is Role.SYSTEM:
        return _with(completion, (_longer(messages[0], part), *messages[1:]))
    return _with(completion, (Message(Role.SYSTEM, (part,)), *messages))


def _longer(message: Message, part: Text) -> Message:
    apart = (Text("\n\n"),) if message.content else ()
    return msgspec.structs.replace(message, content=(*message.content, *apart, part))


def _with(completion: Completion, messages: tuple[Message, ...]) -> Completion:
    return msgspec.structs.replace(completion, messages=messages)
