"""`headway demo`: the main job shown live, on real processes and sockets, and checked as it goes.

Belongs here: the processes of the demo, its scenes, the proofs of what it shows. Does not: anything
that a daemon or another command needs.
"""
