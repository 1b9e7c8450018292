"""The table of faults. A model's name is `BASE+FAULT[@WINDOW]+FAULT...[#TAG]`.

Without a window a fault applies to every attempt on that name.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from sidecar.testing.actions import Kind
from sidecar.testing.asked import OnPrefix, Plan
from sidecar.testing.faults import cuts, errors, frames, refusing
from sidecar.testing.faults.base import Args, Fault
from sidecar.testing.refusals import KINDS
from sidecar.testing.texts import VOCABULARIES


def _told(value: str) -> Callable[[Plan, Args], Plan]:
    return lambda plan, args: replace(plan, told=value)


PLANS: tuple[Fault, ...] = (
    Fault("ms-N", (), "N milliseconds between two tokens (15 if not said)",
          plan=lambda plan, args: replace(plan, pace_s=int(args["N"]) / 1000)),
    Fault("tps-R", ("H22",), "R tokens per second: 1 is the slow drip",
          plan=lambda plan, args: replace(plan, pace_s=1.0 / float(args["R"]))),
    Fault("batch-N", (), "N tokens in every event (1 if not said)",
          plan=lambda plan, args: replace(plan, batch=max(int(args["N"]), 1))),
    Fault("seed-N", (), "another text: the one of seed N",
          plan=lambda plan, args: replace(plan, seed=int(args["N"]))),
    Fault("style-STYLE", ("H08",), "words in a style: plain, unicode (emoji and all), long",
          plan=lambda plan, args: replace(plan, style=args["STYLE"]), words=tuple(VOCABULARIES)),
    Fault("think", ("H08",), "reasoning inside the answer, between <think> tags",
          plan=lambda plan, args: replace(plan, think_tags=True)),
    Fault("tools-N", ("H04",), "N tool calls after the answer",
          plan=lambda plan, args: replace(plan, tool_calls=int(args["N"]))),
    Fault("prefix-WAY", ("S14", "H02", "H03", "H07"),
          "on an assistant's turn at the end: continue it, echo it and continue, restart, depart "
          "(restart in other words), refuse",
          plan=lambda plan, args: replace(plan, on_prefix=OnPrefix(args["WAY"])),
          words=tuple(way.value for way in OnPrefix)),
    Fault("cached-N", (), "N tokens of the input count as cached",
          plan=lambda plan, args: replace(plan, cached_tokens=int(args["N"]))),
    Fault("demand", (), "signs its reasoning, and refuses a tool turn that comes back without it",
          plan=lambda plan, args: replace(plan, demands=True)),
    Fault("no-usage", ("H43",), "the usage is not told (but billed)", plan=_told("none")),
    Fault("zero-usage", ("H44",), "the usage is told as zeros, and nothing is billed",
          plan=_told("zero")),
)  # fmt: skip

REFUSALS: tuple[Fault, ...] = (
    Fault("http-STATUS[-S]", ("S01", "S02", "S03", "S04", "S15", "S16", "H30", "H31", "H32"),
          "an HTTP error, with `Retry-After: S`", steps=refusing.by_status),
    Fault("refuse-KIND[-S]", ("S12", "S13", "H31", "H32"),
          "an HTTP error of a kind: context, policy, quota, balance, region, gone, history...",
          steps=refusing.by_kind, words=tuple(KINDS)),
    Fault("rate-STYLE-S", ("H30",),
          "429 whose wait is told in seconds, millis, a date, a reset, the body, or with never",
          steps=refusing.rate_told, words=refusing.RATE_STYLES),
    Fault("revoke-N-KEY", ("H29",), "401 for the key named KEY after N attempts",
          steps=refusing.refuse_key),
    Fault("deny-KEY", ("H32",), "403 for the key named KEY", steps=refusing.refuse_model_to_key),
    Fault("leak", (), "401 whose text repeats the key", steps=refusing.leak),
    Fault("octet", ("H21",), "whatever comes calls itself application/octet-stream",
          steps=refusing.lying_type),
    Fault("html[-STATUS]", ("H21",), "a page of HTML, with 200 or another status",
          steps=refusing.html),
    Fault("empty", ("H05",), "200 and an empty body", steps=refusing.empty),
    Fault("redirect", (), "307 to another host", steps=refusing.redirect),
    Fault("after-S", (), "`Retry-After: S` on a success", steps=refusing.retry_after_on_success),
)  # fmt: skip

CUTS: tuple[Fault, ...] = (
    Fault("END[-PHASE]-K", ("S08", "S14", "H01", "H02", "H03", "H04", "H05", "H08"),
          "after K tokens (of reasoning, answer or tool), events or bytes: cut closes the "
          "connection inside the body, rst resets it, half closes one side, eof ends the body "
          "as it should but the stream as it should not", steps=cuts.end_early),
    Fault("stall-K-S", ("S09",), "K tokens, S seconds of silence, then it closes",
          steps=cuts.stall),
    Fault("lose-WAY", ("S05",), "no byte of a response: reset, close or refuse",
          steps=cuts.lose, words=tuple(cuts.WAYS)),
    Fault("silent[-S]", ("S06", "H27"), "accepted, no byte for S seconds (120), then it closes",
          steps=cuts.silent),
    Fault("headers-S", ("H27", "H28"), "S seconds until the headers, then healthy",
          steps=cuts.late_headers),
    Fault("queued-S", ("S07", "H24"), "headers, S seconds of nothing, then healthy",
          steps=cuts.queued),
    Fault("first-S", ("S07", "H24"), "headers and role at once, first token after S seconds",
          steps=cuts.first),
    Fault("second-S", ("H26",), "S seconds before the second token", steps=cuts.second),
    Fault("pause-K-S", ("H24", "H26"), "S seconds after K tokens, then on", steps=cuts.pause),
    Fault("gap-S", ("H25",), "S seconds between reasoning and answer", steps=cuts.gap),
    Fault("keepalive-S[-I]", ("H23",), "comments every I seconds (5) for S seconds, then healthy",
          steps=cuts.keep_alive),
)  # fmt: skip

ERRORS: tuple[Fault, ...] = (
    Fault("error-FORM[-K]", ("H06", *(f"H{n}" for n in range(10, 21)), "H41"),
          "an error inside the 200, after K tokens (0: after the first event). Forms: "
          + ", ".join(errors.FORMS), steps=errors.fail, words=tuple(errors.FORMS)),
    Fault("firsterror-FORM", ("H10", "H11", "H17"), "the same as the very first event",
          steps=errors.fail_first, words=tuple(errors.FORMS)),
    Fault("lateerror-FORM", ("H09", "H12"), "the same after the finish reason",
          steps=errors.fail_late, words=tuple(errors.FORMS)),
)  # fmt: skip

FRAMES: tuple[Fault, ...] = (
    Fault("garbage-K", ("S10",), "one event more in place K, which is no JSON",
          steps=frames.garbage),
    Fault("broken-K", ("S10",), "event K loses half of its JSON and its token",
          steps=frames.broken),
    Fault("badbytes-K", ("S10",), "event K is no UTF-8", steps=frames.bad_utf8),
    Fault("no-done", ("S11", "H05"), "the end mark is missing", steps=frames.drop(Kind.DONE)),
    Fault("no-finish", ("H05",), "the finish reason is missing, and [DONE] comes all the same",
          steps=frames.drop(Kind.FINISH)),
    Fault("chunk-N", ("H08",), "every event in chunks of N bytes", steps=frames.in_chunks),
    Fault("frame-STYLE", ("H08",),
          "legal framing: crlf, cr, tight, comments, padded, blank, bom, split",
          steps=frames.framed, words=tuple(frames.STYLES)),
    Fault("unframed", ("H05",), "no length, no chunks: a cut looks like the end",
          steps=frames.unframed),
    Fault("huge-N", (), "one event of N bytes", steps=frames.huge),
    Fault("endless-N", (), "N bytes without a line end", steps=frames.endless_line),
    Fault("deep-N", (), "JSON nested N deep", steps=frames.deep),
    Fault("gzip", (), "the body is compressed", steps=frames.zipped),
    Fault("falsegzip", (), "the body claims to be compressed", steps=frames.false_zip),
)  # fmt: skip

FAULTS: tuple[Fault, ...] = PLANS + REFUSALS + CUTS + ERRORS + FRAMES
