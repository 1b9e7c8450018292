"""The composition root: builds every part from a configuration, and the daemon from the parts.

Belongs here: making parts and handing them their values, the life of the daemon, reading keys and
watching files. Does not: any rule that a part could hold itself. Only this room knows all others.
"""
