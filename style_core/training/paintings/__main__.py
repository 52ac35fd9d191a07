"""Renders our paintings into files."""

from pathlib import Path

from style_core.training import rendering
from style_core.training.paintings import PAINTINGS

if __name__ == "__main__":
    rendering.run("style_core.training.paintings", PAINTINGS, Path("studio/samples/styles"), limit=120_000)
