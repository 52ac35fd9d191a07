"""A run so far: its newest Step and its newest picture, from which a run that is ended early still becomes a result."""

from dataclasses import replace

from torch import Tensor

from style_core.media.images import reduced
from style_core.progress import Step, whole_picture


class RunSoFar:
    """The newest of a run's Steps.

    Attributes:
        last: the newest one.
        shown: the newest one with a picture.
        image: that picture, `[3, H, W]`; None before the first.
    """

    def __init__(self) -> None:
        self.last = self.shown = Step(0, 0)
        self.image: Tensor | None = None

    @property
    def result(self) -> Tensor:
        """The newest picture. There is one if the recipe ran to its end."""
        assert self.image is not None, "a recipe ends with a picture"
        return self.image

    def take(self, step: Step) -> None:
        """Keep what is new in a Step."""
        self.last = step
        if step.image is not None:
            self.image, self.shown = step.image, step

    def complete(self, size: int) -> str:
        """Take the picture of a run that was ended early at full size, where only a reduced one was shown.

        Args:
            size: long side of the result, px.
        Returns:
            A note if that can't be had, or an empty string.
        """
        if self.image is None:
            return ""
        try:
            whole = whole_picture(self.last)
        except KeyboardInterrupt:  # asked twice to end
            whole = None
        self.last = replace(self.last, full=None)  # which holds the run's memory
        if whole is not None:
            self.image, self.shown = whole, self.last
        return reduced(self.image.shape[-2:], size)
