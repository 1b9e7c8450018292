"""The fake provider and the virtual loop: for the demo, for users' tests, and for our own.

Belongs here: a provider with scripted answers, real limits, every fault of the failure card, a log
and a bill; time that jumps. Does not: anything that the daemon needs to run. Of the other rooms
only `core` is known here, so that the fake judges the product by its own arithmetic.

    async with running_provider(ProviderConfig()) as provider:
        ...  # talk to provider.base_url, with models such as "fake-60+cut-40"
        assert provider.bill.total_nano_usd == ledger_total
"""

from sidecar.testing.config import DEFAULT_PRICE, Key, ProviderConfig
from sidecar.testing.journal import Bill, Ending, Entry
from sidecar.testing.provider import FakeProvider
from sidecar.testing.quotas import Quota
from sidecar.testing.running import RunningProvider, main, running_provider, serve
from sidecar.testing.scripts import ByModel, Listed, Script, Seeded
from sidecar.testing.texts import Writing, input_tokens, token_count, written
from sidecar.testing.transport import FakeTransport

__all__ = [
    "DEFAULT_PRICE",
    "Bill",
    "ByModel",
    "Ending",
    "Entry",
    "FakeProvider",
    "FakeTransport",
    "Key",
    "Listed",
    "ProviderConfig",
    "Quota",
    "RunningProvider",
    "Script",
    "Seeded",
    "Writing",
    "input_tokens",
    "main",
    "running_provider",
    "serve",
    "token_count",
    "written",
]
