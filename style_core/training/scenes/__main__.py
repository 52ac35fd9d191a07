"""Renders scenes into files."""

from pathlib import Path

from style_core.training import rendering
from style_core.training.scenes import LONG_SIDE, SCENES

if __name__ == "__main__":
    rendering.run("style_core.training.scenes", SCENES, Path("studio/samples"), limit=250_000, size=LONG_SIDE)
