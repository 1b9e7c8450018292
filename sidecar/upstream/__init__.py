"""HTTP to providers: sockets, TLS, HTTP/1.1 framing, and one exception for all that can go wrong.

Belongs here: connections and their pool, requests to bytes, bytes to pieces of a body,
`TransportFailure`. Does not: what the bytes mean (`providers`), which provider or key is asked
(`routing`, `keys`), how long a phase may last (`gateway`), when to try again (`failover`). Nothing
here reads a clock, the environment or configuration; what waits here waits for a socket and for
nothing else.

`http` is the face the gateway uses. It takes any `httpx.AsyncBaseTransport`: `transport` holds the
fast one; the stock `httpx.AsyncHTTPTransport(proxy=...)` serves a provider that is reached through
a proxy; simulations bring their own.
"""
