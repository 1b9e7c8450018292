"""The Responses dialect of OpenAI, also spoken by DeepSeek, xAI and OpenRouter.

Belongs here: its events and items, stateless replay of encrypted reasoning. Does not: background
mode, stored conversations, server-side tools.
"""

from sidecar.providers.responses.decode import decoder
from sidecar.providers.responses.encode import encode
from sidecar.providers.spoken import Spoken

DIALECT = Spoken("openai-responses", encode, decoder)
