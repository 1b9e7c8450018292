"""The chat completions dialect, as OpenAI, DeepSeek and everybody compatible speaks it.

Belongs here: its wire shapes, encoding, decoding, usage arithmetic. Does not: anything about one
provider that can be data on its profile.
"""
