"""Each trap, fed whole, byte by byte, and in every other framing that means the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.audit.table import AUDIT
from tests.providers.audit.trap import Trap, told

ROWS = [(dialect, trap) for dialect, traps in AUDIT.items() for trap in traps]
NAMES = [f"{dialect}: {trap.name}" for dialect, trap in ROWS]
EACH = pytest.mark.parametrize(("dialect", "trap"), ROWS, ids=NAMES)


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
