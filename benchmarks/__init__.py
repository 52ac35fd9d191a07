"""Benchmarks, each one command; the last results are in the Markdown files next to them."""
