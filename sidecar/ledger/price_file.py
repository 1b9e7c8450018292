"""Where the price table comes from: the one in the package, or a newer one beside the ledger."""

from __future__ import annotations

import asyncio
import sys
from importlib import metadata
from pathlib import Path

from sidecar.ledger.price_table import PriceTable

LIBRARY = "genai-prices"
PACKAGED = Path(__file__).with_name("genai_prices.jsonl")
NAME = "genai_prices.jsonl"
# Importing the library takes 0.6 s of a free core; a loaded machine may need many times that.
REFRESH_TIMEOUT_S = 60.0


def installed_version() -> str:
    """The version of the price library that is installed, "" if none is."""
    try:
        return metadata.version(LIBRARY)
    except metadata.PackageNotFoundError:
        return ""


def load(folder: Path | None, installed: str) -> PriceTable:
    """The table of the installed version if `folder` has it, else the one in the package.

    Blocks for a millisecond. An unreadable file in `folder` is as good as none.
    """
    packaged = PriceTable(PACKAGED.read_bytes())
    if folder is None or installed in ("", packaged.version):
        return packaged
    try:
        kept = PriceTable((folder / NAME).read_bytes())
    except (OSError, ValueError):
        return packaged
    return kept if kept.version == installed else packaged


def stale(table: PriceTable, installed: str) -> bool:
    """Whether another version of the library is installed than the one `table` was made of."""
    return installed not in ("", table.version)


async def refresh(folder: Path, installed: str) -> PriceTable:
    """Make the table of the installed version, in a process of its own, and keep it in `folder`.

    The process takes a second and 105 MB while it lasts. Raises OSError if it fails or hangs.
    """
    arguments = ("-m", "sidecar.ledger.extract", str(folder / NAME))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(REFRESH_TIMEOUT_S):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code:
        raise OSError(f"the prices could not be read from the library (exit code {code})")
    return await asyncio.to_thread(load, folder, installed)
