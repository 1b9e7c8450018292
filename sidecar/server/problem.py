"""Why the daemon cannot serve at all."""


class CannotListen(Exception):
    """An address cannot be served; the text says which, why, and what to do."""


class Impossible(Exception):
    """The loop cannot drive gRPC here; the text says why. Nobody has been served yet."""
