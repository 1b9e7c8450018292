"""Ports for servers that have to be told one."""

from __future__ import annotations

import os
import random
import socket

# Below those that Linux gives to whoever asks for any (from 32768 on): nobody is given one of these
# between the asking and the server's start, or while a server that is to come back is away. A node
# of a Redis Cluster also needs the port 10,000 above.
FIRST, LAST = 12_000, 22_000


def free_port() -> int:
    """A port that nobody listens on, at any address of this machine."""
    ports = random.Random(os.urandom(8))
    while True:
        port = ports.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
