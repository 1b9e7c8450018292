"""grpcio's core, driven by the event loop: what grpc.aio does with a poller thread, done without.

grpc.aio hands every completion from its poller thread to the loop: two context switches, a write,
a read and a turn of the loop for each message (docs/decisions/0003). Here the loop asks the
completion queue itself, so that a write which went out is done when it returns. Handlers, contexts
and options are grpc.aio's. Why this is sound, and what it risks: docs/decisions/0009.

Belongs here: the queue, the calls on it, the server over both. Does not: anything of ours that is
served. This is the only place that may import `grpc._cython`, which grpcio promises to nobody:
`choice.choose` looks whether all is as expected, and where it is not, grpc.aio serves.
"""
