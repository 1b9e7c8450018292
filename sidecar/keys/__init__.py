"""Keys: credentials, the accounts that own them, and from when each may be used again.

Belongs here: secrets (and nobody prints them), key and account states, what a failure does to them.
Does not: buckets (limits), choosing among targets (routing), reading configuration.
"""
