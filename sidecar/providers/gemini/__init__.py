"""Google's own dialects: generateContent and Interactions.

Belongs here: their chunks, parts, thought signatures and usage. Does not: Google's compatible door,
which is the chat dialect.
"""

from sidecar.providers.gemini import interactions_decode, interactions_encode
from sidecar.providers.gemini.decode import decoder
from sidecar.providers.gemini.encode import encode
from sidecar.providers.spoken import Spoken

DIALECT = Spoken("gemini", encode, decoder)
INTERACTIONS = Spoken(
    "gemini-interactions", interactions_encode.encode, interactions_decode.decoder
)
