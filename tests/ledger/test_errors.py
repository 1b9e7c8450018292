from __future__ import annotations

from sidecar.ledger.errors import LedgerUnavailable, Trouble


def test_the_message_says_what_why_and_what_to_do() -> None:
    error = LedgerUnavailable(Trouble.UNWRITABLE, "/var/x.db", "permission denied")
    assert str(error) == (
        "ledger /var/x.db: permission denied; give the daemon's user write access to the folder,"
        " or set another ledger.path"
    )
