from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sidecar.ledger.price_file import PACKAGED, installed_version, load, refresh, stale
from sidecar.ledger.price_table import PriceTable


def test_the_table_in_the_package_is_used_while_the_library_is_the_same(tmp_path: Path) -> None:
    assert not stale(load(tmp_path, installed_version()), installed_version())


def test_another_library_version_makes_the_packaged_table_stale(tmp_path: Path) -> None:
    assert stale(load(tmp_path, "99.0"), "99.0")


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"format":1}', b"\xff\xfe"])
def test_an_unreadable_table_beside_the_ledger_is_as_good_as_none(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "genai_prices.jsonl").write_bytes(content)
    assert load(tmp_path, "99.0").version == load(None, "").version


def test_a_table_beside_the_ledger_counts_if_it_is_of_the_installed_version(
    tmp_path: Path,
) -> None:
    newer = PACKAGED.read_bytes().replace(b'"version":"', b'"version":"99.', 1)
    (tmp_path / "genai_prices.jsonl").write_bytes(newer)
    version = PriceTable(newer).version
    assert load(tmp_path, version).version == version
    assert load(tmp_path, "100.0").version != version


@pytest.mark.process
async def test_refreshing_makes_the_table_of_the_installed_library(tmp_path: Path) -> None:
    fresh = await refresh(tmp_path, installed_version())
    written = await asyncio.to_thread((tmp_path / "genai_prices.jsonl").read_bytes)
    assert fresh.version == installed_version()
    assert written == PACKAGED.read_bytes()


@pytest.mark.process
async def test_a_refresh_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exit code 1"):
        await refresh(tmp_path / "file", installed_version())
