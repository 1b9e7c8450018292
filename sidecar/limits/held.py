"""The reservations of this pod that are still open, and what they claim. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sidecar.limits.book import Class
from sidecar.limits.bucket import US, Dimension
from sidecar.limits.script import Owed
from sidecar.limits.store import Reservation


class Held(msgspec.Struct, frozen=True):
    """One open reservation, and the priority class it was taken in."""

    reservation: Reservation
    klass: Class

    @property
    def seated(self) -> bool:
        """Does it hold a seat, so that it has to be kept alive?"""
        takes = self.reservation.takes
        return any(take.bucket.dimension is Dimension.CONCURRENCY for take in takes)


def claims(held: Iterable[Held]) -> list[Owed]:
    """The seats of `held`, as the store has to hear of them to keep or to restore them."""
    return [
        Owed(
            "renew",
            take.bucket,
            (one.reservation.id, one.reservation.lease_s * US, one.klass.reserve > 0.0),
        )
        for one in held
        for take in one.reservation.takes
        if take.bucket.dimension is Dimension.CONCURRENCY
    ]
