"""The whole card."""

from __future__ import annotations

from tests.faults.card import Row
from tests.faults.published import PUBLISHED

ROWS: tuple[Row, ...] = PUBLISHED
NOT_YET: dict[str, str] = {}
