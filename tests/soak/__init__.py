"""The real daemon under what lasts: kills, stalled readers, hours of streams, flapping providers.

`python -m tests.soak kills --times 100` and its likes print figures; short versions of them are
tests. Belongs here: what needs real processes and minutes. Does not: what virtual time can show
(`tests/simulation`), single faults (`tests/faults`), speed (`bench`).
"""
