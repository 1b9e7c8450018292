"""How much may leave, and when: buckets, leases, estimates, the fair queue, the two stores.

Belongs here: the arithmetic of limits as plain functions, what providers say about their limits,
and the stores that keep the numbers (in memory, or in Redis for many pods). Does not: which
target or key is chosen among equals for other reasons (routing), waiting (gateway), what a limit
is called in the configuration (config). Only `redis.py` waits for anything outside.
"""
