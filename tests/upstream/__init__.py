"""The room `upstream`, on real sockets where a socket is the point. Every async test runs twice: on
asyncio's own loop and on uvloop."""
