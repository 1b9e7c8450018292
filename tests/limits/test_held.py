from __future__ import annotations

from sidecar.limits.book import Class
from sidecar.limits.bucket import Bucket
from sidecar.limits.held import Held, claims
from sidecar.limits.store import Reservation, Take
from tests.limits.meters import requests, seats

PLAIN, BATCH = Class("plain"), Class("batch", reserve=0.3)


def held(*buckets: Bucket, klass: Class = PLAIN) -> Held:
    takes = tuple(Take(bucket, 1) for bucket in buckets)
    return Held(Reservation("r", "p", "k", takes, 0.0, 15.0), klass)


def test_only_a_seat_has_to_be_kept_alive() -> None:
    assert [held(requests()).seated, held(requests(), seats()).seated] == [False, True]


def test_a_claim_names_the_lease_and_how_long_it_lives() -> None:
    (claim,) = claims([held(requests(), seats())])
    assert (claim.kind, claim.bucket, claim.rest) == ("renew", seats(), ("r", 15e6, False))


def test_a_claim_of_a_class_with_a_reserve_says_so() -> None:
    (claim,) = claims([held(seats(), klass=BATCH)])
    assert claim.rest[2] is True
