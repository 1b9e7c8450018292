"""The way of a request: in, wait for a lease, one attempt after another, out.

Belongs here: the loop over attempts, the one place that waits, settling. Does not: deciding whether
to try again (failover), whom to ask (routing), how to speak (providers), what gRPC looks like.
"""
