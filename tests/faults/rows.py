"""The whole card, and what is not on it yet."""

from __future__ import annotations

from tests.faults.card import Row
from tests.faults.cuts import CUTS
from tests.faults.inband import IN_BAND
from tests.faults.keys import KEYS
from tests.faults.lifecycle import LIFECYCLE
from tests.faults.money import MONEY
from tests.faults.published import PUBLISHED
from tests.faults.slowness import SLOWNESS

ROWS: tuple[Row, ...] = PUBLISHED + CUTS + IN_BAND + SLOWNESS + KEYS + LIFECYCLE + MONEY
NOT_YET: dict[str, str] = {
    "H22": "there is no floor of tokens per second yet",
    "H34": "two keys of one owner are not merged yet",
    "H35": "needs Redis",
    "H36": "needs Redis",
}
