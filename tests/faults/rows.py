"""The whole card, and what is not on it yet."""

from __future__ import annotations

from tests.faults.beyond import BEYOND
from tests.faults.card import Row
from tests.faults.cuts import CUTS
from tests.faults.inband import IN_BAND
from tests.faults.keys import KEYS
from tests.faults.lifecycle import LIFECYCLE
from tests.faults.money import MONEY
from tests.faults.owners import OWNERS
from tests.faults.published import PUBLISHED
from tests.faults.redis import REDIS
from tests.faults.slowness import SLOWNESS

ROWS: tuple[Row, ...] = (
    PUBLISHED + CUTS + IN_BAND + SLOWNESS + KEYS + OWNERS + REDIS + LIFECYCLE + MONEY + BEYOND
)
NOT_YET: dict[str, str] = {}
# Of these rows a part is not looked at: the other checks of the row are.
PARTLY: dict[str, str] = {
    "H07": "a new text is told from one that goes on if it begins with a capital where a space "
    "ought to come first; without that sign nobody could tell, and it is taken for one that goes "
    "on",
    "H08": "480 places in four streams; every recording is cut at every byte in `tests/providers`",
    "H35": "the added latency is that of a settled pod: in the 2.5 s after Redis goes or comes "
    "it begins with an empty share, which those who ask then wait for, up to a second",
    "H36": "arrivals are judged, so what is due in 0.05 s is forgiven; what was granted is judged "
    "in `tests/limits`, to the request",
}
