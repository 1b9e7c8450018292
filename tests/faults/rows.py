"""The whole card, and what is not on it yet."""

from __future__ import annotations

from tests.faults.card import Row
from tests.faults.cuts import CUTS
from tests.faults.inband import IN_BAND
from tests.faults.keys import KEYS
from tests.faults.lifecycle import LIFECYCLE
from tests.faults.money import MONEY
from tests.faults.owners import OWNERS
from tests.faults.published import PUBLISHED
from tests.faults.redis import FULL as FULL_OUTAGES
from tests.faults.redis import REDIS
from tests.faults.slowness import SLOWNESS

ROWS: tuple[Row, ...] = (
    PUBLISHED + CUTS + IN_BAND + SLOWNESS + KEYS + OWNERS + REDIS + LIFECYCLE + MONEY
)
# At full length, for --full alone.
FULL: tuple[Row, ...] = FULL_OUTAGES
NOT_YET: dict[str, str] = {}
# Of these rows a part is not looked at: the other checks of the row are.
PARTLY: dict[str, str] = {
    "H02": "20 recoveries, so the worst stands for the p99; waits for a CPU are taken off",
    "H07": "a fallback whose new text shares nothing with the prefix cannot be told from one that "
    "continues, and is not tried",
    "H09": "the error is looked for in the attempt's summary, not in spans",
    "H11": "the breaker's metric is not read, the attempt's reason is",
    "H15": "the upstream's name in the span is not read",
    "H23": "what `GetStatus` shows meanwhile is not read",
    "H28": "a queue whose place is taken may answer DEADLINE_TOO_SHORT at once",
    "H35": "gone for 5 s (60 s with --full); the added latency is measured in bench, not here",
    "H36": "arrivals are judged, so a jitter of 0.15 s is forgiven; rolled back by 2 s, not 5",
    "H37": "the memory store alone",
    "H38": "spans are not read",
    "H39": "places in a common store are not looked at, for want of Redis",
    "H42": "the metric is not read, the line in the log is",
}
