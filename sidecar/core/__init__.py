"""Words that every room uses: requests, deltas, failures, usage, money, time.

Belongs here: frozen values and the plain functions over them. Does not: anything that waits, any
name of a library, any decision that needs state.
"""
