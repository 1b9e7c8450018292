"""How fast a stream speaks: is it above its floor? Pure.

Slowness is not silence. Silence has clocks of its own (a model may think for minutes), so of each
pause only the first `PAUSE_S` seconds count as time of speaking. A drip of one token a second is
thus found after one window, and a burst after a long thought is never mistaken for one.
"""

from __future__ import annotations

from collections import deque

# So much of a pause between two reads counts as speaking, seconds.
PAUSE_S = 2.0
# Providers may pack several tokens into one event; then the text tells how many there are about.
CHARS_PER_TOKEN = 4
# Marks kept of a window: it slides by such a part of its length.
MARKS = 20


class Pace:
    """The rate of one attempt over a window of speaking. Fed with every read that brought text."""

    __slots__ = ("_chars", "_last", "_marks", "_pieces", "_spoken_s", "_window_s")

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._last: float | None = None
        self._spoken_s = 0.0
        self._pieces = 0
        self._chars = 0
        # (time of speaking, pieces, characters) at points about window / MARKS apart.
        self._marks: deque[tuple[float, int, int]] = deque()

    def heard(self, pieces: int, chars: int, now: float) -> None:
        """So many `pieces` in all have come by now, and `chars` characters more."""
        if self._last is None:
            # What came first took its own time, which has its own clock.
            self._marks.append((0.0, pieces, chars))
        else:
            self._spoken_s += min(now - self._last, PAUSE_S)
        self._last = now
        self._pieces = pieces
        self._chars += chars
        if self._spoken_s - self._marks[-1][0] >= self._window_s / MARKS:
            self._marks.append((self._spoken_s, self._pieces, self._chars))

    def listening(self, now: float) -> None:
        """The caller has taken it all: what comes next is waited for from now on."""
        self._last = now

    def rate(self) -> float | None:
        """Tokens per second over the last window; None while less than one was spoken."""
        since_s = self._spoken_s - self._window_s
        marks = self._marks
        if self._last is None or since_s < 0:
            return None
        while len(marks) > 1 and marks[1][0] <= since_s:
            marks.popleft()
        began_s, pieces, chars = marks[0]
        tokens = max(self._pieces - pieces, (self._chars - chars) / CHARS_PER_TOKEN)
        return tokens / (self._spoken_s - began_s)
