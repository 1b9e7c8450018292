"""Servers that nobody here wrote, as upstreams of a real daemon.

Belongs here: their installation (`make upstreams`, versions pinned beside it), how each is
started, what is promised of all. Does not: the fake provider's own tests.
"""
