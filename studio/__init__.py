"""The studio: Pentimento's interface in a browser tab. It knows Gradio and no tensors' insides."""

from studio.build import build

__all__ = ["build"]
