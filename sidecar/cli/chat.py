"""`headway chat`: one completion from a running daemon, as it comes."""

from __future__ import annotations

import sys
from typing import TextIO

import msgspec
from headway import Client, HeadwayError, Options, Result

from sidecar.cli import words
from sidecar.cli.advice import failed
from sidecar.cli.ending import Failed
from sidecar.cli.interrupts import interruptible
from sidecar.cli.show import show_on


class Question(msgspec.Struct, frozen=True):
    """What is asked. `timeout_s` None: the daemon's own."""

    text: str
    model: str = "default"
    system: str = ""
    timeout_s: float | None = None
    options: Options = {}

    def messages(self) -> list[dict[str, str]]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.text}]


def run(client: Client, target: str, question: Question, plain: bool) -> None:
    """Stream the answer. Raises Failed.

    On a terminal all of it is shown. Otherwise standard output gets the answer and nothing else,
    once it is whole: a restart may take back what was said, and a pipe cannot give it back.
    """
    out, notes = sys.stdout, sys.stderr
    piped = plain or not out.isatty()
    show = show_on(notes if piped else out, plain, frozenset({"answer"} if piped else ()))
    try:
        with (
            client.stream(
                question.model,
                question.messages(),
                timeout_s=question.timeout_s,
                **question.options,
            ) as stream,
            interruptible(stream.close),
        ):
            for event in stream:
                show.event(event)
    except HeadwayError as error:
        raise _told(error, target, piped) from None
    finally:
        show.end_line()
    _finish(stream.result, out if piped else None)
    for line in words.summary(stream.result):
        show.note(line)


def _finish(result: Result, out: TextIO | None) -> None:
    if out is None:
        return
    text = result.answer or result.refusal
    out.write(text if text.endswith("\n") else f"{text}\n")
    out.flush()


def _told(error: HeadwayError, target: str, piped: bool) -> Failed:
    """The error, and what had come before it."""
    told = failed(error, target)
    if not error.result.answer:
        return told
    had = f"{len(error.result.answer):,} characters of an answer had come"
    where = "they are not printed, since the rest is missing" if piped else "the rest is missing"
    return Failed(*told.lines, f"{had}; {where}", code=told.code)
