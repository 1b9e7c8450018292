"""Fixtures of the room's tests."""

from tests.support.fixtures import folder, provider, start

__all__ = ["folder", "provider", "start"]
