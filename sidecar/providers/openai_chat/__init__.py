"""The chat completions dialect, as OpenAI, DeepSeek and everybody compatible speaks it.

Belongs here: its wire shapes, encoding, decoding, usage arithmetic. Does not: anything about one
provider that can be data on its profile.
"""

from sidecar.providers.openai_chat.decode import decoder
from sidecar.providers.openai_chat.encode import encode
from sidecar.providers.spoken import Spoken

DIALECT = Spoken("openai-chat", encode, decoder)
