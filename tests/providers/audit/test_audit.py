"""Each trap, fed whole, byte by byte, and in every other framing that means the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.providers.audit.table import AUDIT
from tests.providers.audit.trap import Trap, told
from tests.providers.recorded import cut_at_random

ROWS = [(dialect, trap) for dialect, traps in AUDIT.items() for trap in traps]
NAMES = [f"{dialect}: {trap.name}" for dialect, trap in ROWS]
EACH = pytest.mark.parametrize(("dialect", "trap"), ROWS, ids=NAMES)


FRAMED = [row for row in ROWS if row[0] != "ollama" and not row[1].whole]
# The same body by the standard of event streams, written otherwise.
FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "CR": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "blank lines first": lambda body: b"\n\r\n\n" + body,
    "a comment first": lambda body: b": hello\n\n: \n" + body,
    "comments before every event": lambda body: body.replace(b"data: ", b": alive\ndata: "),
    "no space behind the colon": lambda body: body.replace(b"data: ", b"data:"),
    "ids and retries": lambda body: body.replace(b"data: ", b"id: 7\nretry: 9\ndata: "),
}


def test_no_two_rows_have_one_name() -> None:
    assert len(NAMES) == len(set(NAMES))


def judged(trap: Trap, dialect: str, pieces: list[bytes]) -> dict[str, Any]:
    made = told(trap, dialect, pieces)
    return {name: made[name] for name in trap.wanted}


@EACH
def test_a_caller_is_told_what_the_provider_meant(dialect: str, trap: Trap) -> None:
    assert judged(trap, dialect, [trap.body]) == trap.wanted


@EACH
def test_it_is_the_same_byte_by_byte(dialect: str, trap: Trap) -> None:
    pieces = [bytes([byte]) for byte in trap.body]
    assert judged(trap, dialect, pieces) == trap.wanted


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("dialect", sorted({dialect for dialect, _ in FRAMED}))
def test_it_is_the_same_in_another_framing(dialect: str, framing: str) -> None:
    for spoken, trap in FRAMED:
        if spoken == dialect:
            body = FRAMINGS[framing](trap.body)
            for pieces in ([body], cut_at_random(body, 7)):
                assert judged(trap, dialect, pieces) == trap.wanted, trap.name
