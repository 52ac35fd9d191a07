"""The studio: Pentimento's interface in a browser tab. It knows Gradio and never imports torch."""

from studio.build import build

__all__ = ["build"]
