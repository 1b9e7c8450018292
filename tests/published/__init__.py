"""What Headway sends, against the types that the providers publish of what they take.

Belongs here: their SDKs in an environment of their own (`make published`, versions pinned beside
it), the schemas made of their types, what goes beyond those types and on whose word. Does not: what
a body must say for a feature (the golden files' own test).
"""
