"""What the fake provider says, and how it counts it.

The tokenizer is a stated fake: a token is up to fourteen characters that are not white space,
with one white-space character before them. Reading from left to right it remembers nothing, so
text that was cut between two tokens counts the same in two parts as in one, and the words of the
plain style are one token each.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterable

import msgspec

_PIECE = re.compile(r"\s?\S{1,14}|\s")

# Reasoning and answer share no word, so that text under the wrong label shows at once.
_REASONING = (
    "hmm maybe suppose first then assume check wait recall perhaps consider note verify compare "
    "derive estimate guess therefore because unless whether otherwise step case bound premise "
    "reason weigh doubt infer deduce conclude question hypothesis argument evidence contradiction "
    "alternative simplify rephrase expand narrow test sketch outline count measure approximate"
)
_ANSWER = (
    "train station platform signal track rail engine carriage driver guard ticket journey tunnel "
    "bridge valley river mountain village harbour lantern whistle steam copper iron timber window "
    "garden orchard meadow forest island lighthouse market bakery library clock tower square "
    "morning evening winter summer autumn spring thunder rainbow shadow candle mirror silver "
    "golden purple crimson quiet distant express local northern southern eastern "
    "western arrives departs crosses follows carries waits returns passes climbs descends turns "
    "slowly quickly gently brightly before after beyond between beneath above along without"
)
_UNICODE = (
    "naïve Straße élan coöperate žluťoučký kůň 東京 電車 北京 火车 поезд станция τρένο قطار "
    "रेलगाड़ी 기차역 🚂 🚃🚃 👩🏽‍🔧 👨‍👩‍👧‍👦 🇯🇵 🏴󠁧󠁢󠁳󠁣󠁴󠁿 e\u0301te\u0301 ﬁn ½ → ∑ 𝒳 𐍈 mañana"
)
_LONG = (
    "internationalization incomprehensibilities counterrevolutionaries electroencephalograph "
    "Donaudampfschifffahrtsgesellschaft interoperability uncharacteristically misunderstanding "
    "otorhinolaryngologist telecommunications disproportionately unconstitutionality"
)
VOCABULARIES = {
    "plain": (_REASONING, _ANSWER),
    "unicode": (_REASONING + " 思考 думаю réfléchir", _UNICODE),
    "long": (_REASONING, _LONG),
}


class Writing(msgspec.Struct, frozen=True):
    """A whole text of a model: what it thinks, and then what it answers."""

    reasoning: str
    answer: str


DEMO = Writing(
    reasoning=(
        "The user asks what a headway is. On a railway it is the time between two trains that "
        "follow each other on one line. If it is too short, the second train meets a red signal "
        "and has to brake; if it is too long, the line stands empty and capacity is lost. The "
        "same holds for requests to a provider that limits its rate. So I should explain the "
        "railway first, then the likeness, and keep it short."
    ),
    answer=(
        "A headway is the time kept between two trains on one line. Keep it too short, and the "
        "train behind runs into a red signal, brakes, and loses more than it won. Keep it too "
        "long, and the line stands empty. A good dispatcher lets every train leave exactly when "
        "the track ahead is free, sends it over another line when one is blocked, and never "
        "leaves passengers standing between two stations. To make headway also means to get on, "
        "and that is the point of it."
    ),
)


@functools.lru_cache(maxsize=64)
def pieces(text: str) -> tuple[str, ...]:
    """The tokens of `text`; joined they are `text` again.

    Many callers are told one text: five hundred long ones have their tokens from here, once.
    """
    return tuple(_PIECE.findall(text))


def token_count(text: str) -> int:
    """How many tokens the fake provider bills for `text`."""
    return len(_PIECE.findall(text))


def input_tokens(texts: Iterable[str]) -> int:
    """What a prompt costs: the tokens of each message's text, and nothing for its frame."""
    return sum(map(token_count, texts))


@functools.lru_cache(maxsize=1024)
def written(seed: int, reasoning_words: int, answer_words: int, style: str = "plain") -> Writing:
    """The text for a seed: so many words of each kind, the same on every machine.

    `style` is a key of VOCABULARIES; "plain" words are one token each.
    """
    thoughts, words = VOCABULARIES[style]
    return Writing(
        _sentences(random.Random(f"reasoning {seed}"), thoughts.split(), reasoning_words),
        _sentences(random.Random(f"answer {seed}"), words.split(), answer_words),
    )


def _sentences(rng: random.Random, vocabulary: list[str], count: int) -> str:
    words = rng.choices(vocabulary, k=count)
    for start in range(0, count, 10):
        words[start] = words[start].capitalize()
        last = min(start + 9, count - 1)
        words[last] += "."
    return " ".join(words)


def rest_after(text: str, prefix: str) -> str:
    """What a model says that was told to go on from `prefix`.

    Exactly the rest where `prefix` begins the text (also inside a word); otherwise the model had
    not written the prefix itself, and goes on after as many tokens of its own.
    """
    if text.startswith(prefix):
        return text[len(prefix) :]
    return "".join(pieces(text)[token_count(prefix) :])
