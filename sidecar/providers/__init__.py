"""How providers are spoken to: dialects as pure functions and decoders, profiles as data.

Belongs here: framing, encoding a completion for a provider, decoding what comes back into deltas,
classifying its errors, and the table of well-known providers. Does not: sockets, clocks, keys kept
longer than one call, retries, or any decision about which provider to use.
"""
