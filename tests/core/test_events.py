"""The events of a stream are values."""

from __future__ import annotations

import msgspec
import pytest

from sidecar.core.events import Completed, FinishReason, Timings
from sidecar.core.money import FREE
from sidecar.core.usage import NOTHING


def test_completed_is_by_default_neither_cached_nor_a_saving() -> None:
    event = Completed(FinishReason.STOP, NOTHING, FREE, Timings(), (), "m")
    assert not event.cached
    assert event.saved.nano_usd == 0


def test_what_crosses_rooms_at_the_end_cannot_be_changed() -> None:
    event = Completed(FinishReason.STOP, NOTHING, FREE, Timings(), (), "m")
    with pytest.raises(AttributeError):
        event.cached = True  # type: ignore[misc]
    assert msgspec.structs.replace(event, cached=True).cached
