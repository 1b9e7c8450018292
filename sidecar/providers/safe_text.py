"""Provider text made safe to show: nothing in it that could be a key, and not much of it."""

from __future__ import annotations

import re

MAX_CHARS = 300
REDACTED = "[redacted]"

# Whole tokens of a shape that credentials have. Long letter-and-digit runs are caught whatever
# their prefix; model names and plain words have no run that long.
_KEY_LIKE = re.compile(
    r"""
      (?i:bearer|basic)\s+[^\s"',;]{6,}                   # an Authorization header
    | (?i:key|token|secret|password|authorization)["']?\s*[=:]\s*["']?
      (?i:bearer\s+|basic\s+)?[^\s"',;]{6,}                # a named secret
    | \b(?:sk|pk|rk|gsk|xai|hf|fw|tgp|nvapi|pplx|key|ghp|glpat|AKIA|ASIA|ya29)[-_.A-Z0-9]
      [A-Za-z0-9_\-.*]{5,}                                # known prefixes
    | \bAIza[A-Za-z0-9_\-]{6,}                            # Google's
    | \beyJ[A-Za-z0-9_\-]{8,}[A-Za-z0-9_\-.]*             # a JSON web token
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | [^\s"'()]*\*{3,}[^\s"'()]*                          # already masked, but not wholly
    | (?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9+/]{16,}={0,2}
    """,
    re.VERBOSE,
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]+")


def safe(text: str, key: str = "") -> str:
    """`text` on one line, without key-like strings, at most 300 characters. `key` is removed too.

    Not reversible and not perfect prose: when in doubt a word is redacted.
    """
    if key:
        text = text.replace(key, REDACTED)
    # Cut before searching: a hostile megabyte must not cost a second; a torn key is redacted still.
    text = _BLANK.sub(" ", text[: MAX_CHARS * 4]).strip()
    text = _KEY_LIKE.sub(REDACTED, text)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
