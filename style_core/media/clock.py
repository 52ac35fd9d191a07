"""Times of a clip's frames and sounds on the film that is made of it."""

from fractions import Fraction

import av

_DISCONTINUOUS = 512  # ffmpeg's flag AVFMT_TS_DISCONT
_BACK, _AHEAD = Fraction(1, 2), Fraction(10)  # seconds; times that jump further are those of another recording


class Clock:
    """Turns the times of one stream of a clip into times of the film.

    Args:
        origin: in seconds, of the clip's first frame, where the film begins.
        jumps: whether times may jump where recordings were joined; the film then goes on there.
    """

    def __init__(self, origin: Fraction, jumps: bool):
        self._shift, self._jumps = -origin, jumps
        self._next: Fraction | None = None

    def on_film(self, time: Fraction, lasts: Fraction) -> Fraction:
        """The time on the film, in seconds, of what begins at `time` in the clip and `lasts` so long."""
        at = time + self._shift
        if self._jumps and self._next is not None and not -_BACK <= at - self._next <= _AHEAD:
            self._shift += self._next - at
            at = self._next
        self._next = at + lasts
        return at


def format_jumps(container: av.container.InputContainer) -> bool:
    """Whether times may jump in a clip of this format, as in transport streams."""
    return bool(container.format.flags & _DISCONTINUOUS)
