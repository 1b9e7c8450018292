"""The failure card: each fault against a real daemon process and a fake provider on real sockets.

    python -m tests.faults [--write] [--only S08,H01]

Belongs here: the rows (data and a small judge each), the stories that some rows need, the runner,
the table. Does not: a look inside the daemon. A row is judged by what its caller saw, by the
provider's log and bill, by the ledger's file, and by what the daemon exports and tells of itself.
"""
