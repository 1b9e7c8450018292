"""Which target next: the catalogue of routes, the breakers, the one choice.

Belongs here: questions answered with a time (`ready_at`) and the smallest of them. Does not: keys
and buckets themselves, anything that waits, anything about one request's history.
"""
