"""The generated protobuf and gRPC modules of the API `headway.v1`.

What belongs here: the output of `proto/generate.py`, and nothing by hand but this page. What does
not: anything that knows how to use it (that is `headway` itself).
"""
