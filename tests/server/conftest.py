"""Fixtures of the room's tests."""

from tests.support.fixtures import collector, folder, provider, start

__all__ = ["collector", "folder", "provider", "start"]
