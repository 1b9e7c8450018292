"""`docs/providers.md`, made of the profile table, the price table and the recordings.

`python -m tests.providers.page` writes it anew; a test compares it with what it would be now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from sidecar.core.request import Effort
from sidecar.ledger.deepseek import DEEPSEEK
from sidecar.ledger.price_file import PACKAGED
from sidecar.ledger.price_table import Bill, PriceTable, Provider, Rates
from sidecar.providers.profiles import ProviderProfile, TargetProfile, target
from sidecar.providers.table import PROFILES
from tests.providers.recorded import NAMES, Recording, recordings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "providers.md"
WORDS = Path(__file__).with_name("page.txt")
# Where each dialect but chat carries readable reasoning, and how its streams tell the usage.
FIELDS = {
    "openai-responses": "`reasoning_summary_text`, `reasoning_text`",
    "anthropic": "`thinking_delta`",
    "gemini": "parts with `thought`",
    "gemini-interactions": "`thought_summary`",
    "ollama": "`message.thinking`",
    "typed-event": "`type: reasoning`",
}
USAGE = {
    "openai-responses": "terminal event",
    "anthropic": "`message_delta`",
    "gemini": "every chunk",
    "gemini-interactions": "last event",
    "ollama": "last line",
    "typed-event": "if told",
}
# Dialects without opaque state.
UNSIGNED = frozenset({"ollama", "typed-event"})
NONE = "-"


def page() -> str:
    """The whole page."""
    text = WORDS.read_text(encoding="utf-8")
    for name, made in TABLES.items():
        text = text.replace(f"<!-- {name} -->", made())
    return text


def spoken() -> str:
    """Who speaks what."""
    head = ("provider", "dialect", "auth", "key from", "address")
    return _table(head, (_spoken(profile) for profile in PROFILES.values()))


def _spoken(profile: ProviderProfile) -> tuple[str, ...]:
    key = f"`{profile.key_env}`" if profile.key_env else "configuration"
    address = f"`{profile.base_url}`" if profile.base_url else "yours"
    return (profile.name, f"`{profile.dialect}`", f"`{profile.auth}`", key, address)


def able() -> str:
    """What each can be asked for."""
    head = ("provider", "reasoning in", "effort", "budget", "tools", "images", "JSON schema")
    more = ("continues", "reasoning back", "usage in a stream", "recorded", "seen in recordings")
    seen = recordings("stream", "sync", "error")
    return _table((*head, *more), (_able(profile, seen) for profile in PROFILES.values()))


def _able(profile: ProviderProfile, seen: list[Recording]) -> tuple[str, ...]:
    mine = _mine(profile, seen)
    return (
        profile.name,
        _field(profile, mine),
        _share(profile, lambda made: bool(_efforts(made))),
        _share(profile, lambda made: made.profile.reasoning and bool(made.quirks.budget_path)),
        _share(profile, lambda made: made.profile.tools),
        _share(profile, lambda made: made.profile.images),
        _share(profile, lambda made: made.quirks.schema),
        _share(profile, lambda made: made.resume != "none") + _prefix(profile),
        _replay(profile),
        USAGE.get(profile.dialect, "asked for" if profile.quirks.stream_usage else "by itself"),
        _recorded(mine),
        _seen(mine),
    )


def _field(profile: ProviderProfile, mine: list[Recording]) -> str:
    """Where recorded streams had it; where none had, the first place looked at, in brackets."""
    if profile.dialect in FIELDS:
        return FIELDS[profile.dialect]
    told = {r.expected.get("reasoning_field") for r in mine} - {None}
    tags = ["`<think>`"] if any(r.expected.get("think_tags") for r in mine) else []
    first = f"(`{profile.quirks.reasoning_fields[0]}`)"
    return ", ".join([*(f"`{name}`" for name in sorted(map(str, told))), *tags]) or first


def _mine(profile: ProviderProfile, seen: list[Recording]) -> list[Recording]:
    """The recordings of this company in this dialect."""
    company = profile.name
    for ending in ("-responses", "-messages", "-interactions", "-compatible"):
        company = company.removesuffix(ending)
    return [r for r in seen if r.provider == company and NAMES[r.dialect] == profile.dialect]


def _targets(profile: ProviderProfile) -> list[TargetProfile]:
    """One target for each family of the table, and one for a name it does not know."""
    names = [pattern.replace("*", "") for pattern, _ in profile.models]
    plain = [
        name.replace("[0-9]", "3").replace("[2-9]", "4").replace("[01]", "1") for name in names
    ]
    return [target(profile, name) for name in (*plain, "some-model")]


def _share(profile: ProviderProfile, question: Callable[[TargetProfile], bool]) -> str:
    """yes, no, or some: of all the families of models that the table tells apart."""
    answers = {question(made) for made in _targets(profile)}
    return "some" if len(answers) == 2 else "yes" if True in answers else "no"


def _efforts(made: TargetProfile) -> set[str]:
    words = {effort.value for effort in Effort}
    return words & set(made.quirks.efforts) if made.profile.reasoning else set()


def _prefix(profile: ProviderProfile) -> str:
    takes = any(made.takes_reasoning_prefix for made in _targets(profile))
    return ", reasoning too" if takes else ""


def _replay(profile: ProviderProfile) -> str:
    kinds = {"text": "text", "details": "details, signed", "none": ""}
    signed = "signed" if profile.dialect in FIELDS and profile.dialect not in UNSIGNED else ""
    return kinds[profile.quirks.replay] or signed or NONE


def _recorded(mine: list[Recording]) -> str:
    kinds = {"stream": "streams", "sync": "whole", "error": "errors"}
    counts = {word: sum(r.kind == kind for r in mine) for kind, word in kinds.items()}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "no"


def _seen(mine: list[Recording]) -> str:
    kinds = ("reasoning", "answer", "tool_calls", "usage")
    found = [kind for kind in kinds if any(r.expected.get(kind) for r in mine)]
    return ", ".join(kind.replace("_", " ") for kind in found) or NONE


def rules() -> str:
    """Which options each provider does not get."""
    head = ("provider", "never sent", "not while it thinks", "refused")
    rows = (_rules(profile) for profile in PROFILES.values())
    return _table(head, (row for row in rows if set(row[1:]) != {NONE}))


def _rules(profile: ProviderProfile) -> tuple[str, ...]:
    return (
        profile.name,
        _options(profile, lambda made: made.quirks.drop),
        _options(profile, lambda made: made.quirks.drop_thinking),
        _options(profile, lambda made: made.quirks.refuse),
    )


def _options(profile: ProviderProfile, of: Callable[[TargetProfile], tuple[str, ...]]) -> str:
    """All options that any family has in its list; those of only some families in brackets."""
    lists = [set(of(made)) for made in _targets(profile)]
    always, ever = set.intersection(*lists), set.union(*lists)
    told = [f"`{n}`" for n in sorted(always)] + [f"(`{n}`)" for n in sorted(ever - always)]
    return ", ".join(told) or NONE


def told() -> str:
    """What is read beside the answer."""
    head = ("provider", "its id of the call", "what the call cost")
    rows = (_told(profile) for profile in PROFILES.values())
    return _table(head, (row for row in rows if set(row[1:]) != {NONE}))


def _told(profile: ProviderProfile) -> tuple[str, ...]:
    trace = f"`{profile.trace_header}`" if profile.trace_header else NONE
    cost = f"`{profile.cost_header}`" if profile.cost_header else _cost(profile)
    return (profile.name, trace, cost)


def _cost(profile: ProviderProfile) -> str:
    """Some recording of this provider tells a cost in its body."""
    for recording in _mine(profile, recordings("stream", "sync")):
        decoder = recording.decoder()
        decoder.feed(recording.body)
        decoder.end()
        if decoder.report.cost_nano_usd is not None:
            return "in the usage (recorded)"
    return NONE


def prices() -> str:
    """Whose prices are known."""
    table = PriceTable(PACKAGED.read_bytes())
    head = ("provider", "prices from", "models", "cached input", "cache write")
    more = ("by context length", "by the hour")
    rows = (_prices(profile, table) for profile in PROFILES.values())
    return _table((*head, *more), rows)


def _prices(profile: ProviderProfile, table: PriceTable) -> tuple[str, ...]:
    source = table.provider_of(profile.name, profile.base_url)
    if not source:
        return (profile.name, "your configuration", *(NONE,) * 5)
    priced = priced_models(source)
    ours = any(rule.provider == source for rule in DEEPSEEK)
    hours = ours or any(bill.hours for bills in priced for bill in bills)
    return (
        profile.name,
        f"`{source}`" + (", ours for the present models" if ours else ""),
        str(len(priced)),
        _count(priced, lambda rates: rates[2] is not None),
        _count(priced, lambda rates: rates[3] is not None),
        str(sum(any(len(bill.tiers or ()) > 1 for bill in bills) for bills in priced) or NONE),
        "yes" if hours else NONE,
    )


def priced_models(source: str) -> list[list[Bill]]:
    """The bills of every model that the library has a price for at the provider of that id."""
    lines = PACKAGED.read_bytes().splitlines()[1:]
    sold = (msgspec.json.decode(line, type=Provider) for line in lines)
    bills = (model.bills for provider in sold if provider.id == source for model in provider.models)
    return [bill for bill in bills if any(one.tiers for one in bill)]


def _count(priced: list[list[Bill]], question: Callable[[Rates], bool]) -> str:
    found = (
        any(question(rates) for bill in bills for _, rates in bill.tiers or ()) for bills in priced
    )
    return str(sum(found) or NONE)


def version() -> str:
    """The price library's version."""
    return PriceTable(PACKAGED.read_bytes()).version


def counted() -> str:
    """How many there are."""
    dialects = {profile.dialect for profile in PROFILES.values()}
    return f"{len(PROFILES)} providers, {len(dialects)} dialects"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "counted": counted,
    "spoken": spoken,
    "able": able,
    "rules": rules,
    "told": told,
    "prices": prices,
    "version": version,
}

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
