"""Every trap of the wire formats, written anew for each dialect: small streams by the rule.

Belongs here: tables of bodies and of what a caller must be told, one file a dialect. Does not:
recordings (they are in `recordings/`), and anything about requests.
"""
