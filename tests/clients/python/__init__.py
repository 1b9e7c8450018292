"""Tests of the Python client against a real gRPC server in the test process.

What belongs here: what a caller sees of the client. What does not: the daemon; the peer here is a
scripted servicer, because the client is the thing under test.
"""
