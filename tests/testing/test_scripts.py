"""Who decides what goes wrong next."""

from __future__ import annotations

from sidecar.testing.asked import Asked
from sidecar.testing.scripts import ByModel, Listed, Seeded

ASKED = Asked("d", "f", "m", True, ())


def test_a_list_is_used_up_in_order() -> None:
    script = Listed(["a", "", "b"])
    assert [script.next(ASKED, "k") for _ in range(4)] == ["a", "", "b", None]


def test_a_seed_gives_its_faults_at_its_rate() -> None:
    drawn = [Seeded(1, 0.1, ("x", "y")).next(ASKED, "k") for _ in range(3)]
    assert len(set(drawn)) == 1
    script = Seeded(1, 0.1, ("x", "y"))
    faults = [script.next(ASKED, "k") for _ in range(10_000)]
    assert 900 < len([fault for fault in faults if fault]) < 1100


def test_a_model_has_its_script_and_all_others_share_one() -> None:
    script = ByModel({"m": Listed(["mine"]), "*": Listed(["yours"])})
    other = Asked("d", "f", "n", True, ())
    assert [script.next(ASKED, "k"), script.next(other, "k")] == ["mine", "yours"]
    assert ByModel().next(ASKED, "k") is None
