"""What process tests share: a real daemon process beside a fake provider.

Belongs here: starting and stopping daemons, waiting for what they say of themselves, raw bytes for
their doors. Does not: any assertion about what a daemon must do.
"""
