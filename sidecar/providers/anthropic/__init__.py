"""The Messages dialect of Anthropic, also spoken by Vertex, DeepSeek and OpenRouter.

Belongs here: its events, its content blocks, the replay of signed and redacted thinking. Does not:
which models think how, and which take a prefill (data on the profiles).
"""

from sidecar.providers.anthropic.decode import decoder
from sidecar.providers.anthropic.encode import encode
from sidecar.providers.spoken import Spoken

DIALECT = Spoken("anthropic", encode, decoder)
