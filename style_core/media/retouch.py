"""Retouching: instant changes to a result, using the frames kept while it formed."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from style_core.media.color import keep_color, match_color
from style_core.media.images import resize


def rewound(frames: Sequence[Tensor | Callable[[], Tensor]], position: float) -> Tensor:
    """A picture between the first of `frames` and the last, at the last one's size.

    Args:
        frames: two or more images `[3, h, w]` of any sizes: the photo, kept frames, the result. Intermediate ones may be functions
            that read them; only the two nearest to the position are read.
        position: in `[0, 1]`; 1 is exactly the last picture; between two frames they are blended.
    """
    place = position * (len(frames) - 1)
    index = min(int(place), len(frames) - 2)
    share = place - index
    last = frames[-1]() if callable(frames[-1]) else frames[-1]
    size = tuple(last.shape[-2:])
    one, two = (resize(frame() if callable(frame) else frame, size) for frame in (*frames[:-1], last)[index : index + 2])
    return two if share == 1 else torch.lerp(one, two, share)


def recolor(result: Tensor, photo: Tensor, color: str) -> Tensor:
    """A result in its own colors (`style`), in the photo's (`keep`), or in its own matched to the photo's (`match`)."""
    photo = resize(photo, tuple(result.shape[-2:]))
    if color == "keep":
        return keep_color(result, photo)
    return match_color(result, photo) if color == "match" else result
