"""Pentimento's core: neural style transfer without a user interface."""
