"""What happens when an attempt fails: again, elsewhere, from where, or not at all.

Belongs here: the history of one request (session), the plan of the next attempt (resume), the seam
between two attempts (splice). All plain state machines. Does not: choosing a target (routing),
reading a stream (providers), waiting.
"""
