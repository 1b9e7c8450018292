"""The well-known providers with a dialect of their own: data, nothing else."""

from __future__ import annotations

from sidecar.providers.profiles import ProviderProfile

NATIVE: tuple[ProviderProfile, ...] = ()
