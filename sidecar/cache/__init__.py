"""Bytes kept for a while: transcripts of finished streams, answers to be given again.

Belongs here: aiocache, named in this room alone. Does not: buckets (they need atomic decisions),
what the bytes mean, any decision about what to keep.
"""
