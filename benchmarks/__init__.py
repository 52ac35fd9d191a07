"""Benchmarks, each one command; the last results are in the Markdown files next to them."""

import style_core  # noqa: F401  # before torch, so that its threads wait as the app's do
