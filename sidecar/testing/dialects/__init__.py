"""The dialects that the fake provider speaks: one file each, and the table of them all.

Belongs here: how a healthy answer looks on the wire, and how a request is read. Does not: faults,
limits, or anything shared with the product's own decoders, which must not judge themselves.
"""

from sidecar.testing.dialects.base import Dialect
from sidecar.testing.dialects.chat import CHAT

DIALECTS: tuple[Dialect, ...] = (CHAT,)
