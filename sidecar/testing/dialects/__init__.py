"""The dialects that the fake provider speaks: one file each, and the table of them all.

Belongs here: how a healthy answer looks on the wire, and how a request is read. Does not: faults,
limits, or anything shared with the product's own decoders, which must not judge themselves.
"""

from sidecar.testing.dialects.anthropic import ANTHROPIC
from sidecar.testing.dialects.base import Dialect
from sidecar.testing.dialects.chat import CHAT
from sidecar.testing.dialects.gemini import GEMINI
from sidecar.testing.dialects.interactions import INTERACTIONS
from sidecar.testing.dialects.ollama import OLLAMA
from sidecar.testing.dialects.responses import RESPONSES
from sidecar.testing.dialects.typed import TYPED

# In the order in which their paths are tried: /typed/ is chat completions to everybody else.
DIALECTS: tuple[Dialect, ...] = (
    *(TYPED, CHAT, ANTHROPIC, RESPONSES),
    *(GEMINI, INTERACTIONS, OLLAMA),
)
