"""The gRPC doors: listening, translating, health, drain.

Belongs here: everything that knows protobuf or gRPC. Does not: any decision about a request; what
the daemon is made of (app).
"""
