"""The Headway daemon. Rooms, in the order of who may know whom, are listed in docs/architecture.md.

What belongs here: packages, one a room. What does not: code.
"""
