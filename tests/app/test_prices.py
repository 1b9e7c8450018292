"""The prices of the installed library, where it is another than the one we ship the prices of."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.app.prices import refreshed
from sidecar.config.resolve import Resolved
from sidecar.ledger.price_file import NAME, installed_version
from tests.config.making import resolved, with_provider


def with_ledger(path: Path | None) -> Resolved:
    section = f"ledger: {{path: {path}}}\n" if path is not None else ""
    return resolved(section + with_provider("accounts: {}"))


async def test_prices_of_the_version_installed_are_left_alone(tmp_path: Path) -> None:
    assert not await refreshed(with_ledger(tmp_path / "l.db"), installed_version())
    assert not (tmp_path / NAME).exists()


async def test_without_a_folder_there_is_nowhere_to_keep_others() -> None:
    assert not await refreshed(with_ledger(None), "0.0.0-another")


@pytest.mark.slow
async def test_another_version_is_read_and_kept_beside_the_ledger(tmp_path: Path) -> None:
    await refreshed(with_ledger(tmp_path / "l.db"), "0.0.0-another")
    assert (tmp_path / NAME).stat().st_size > 0


async def test_a_folder_that_cannot_be_written_keeps_the_old_prices(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert not await refreshed(with_ledger(tmp_path / "file" / "l.db"), "0.0.0-another")
    assert "the prices stay those of" in caplog.text
