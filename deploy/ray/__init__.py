"""Recipes on a Ray cluster: `workers` for the app, `batch` for folders of pictures and films. See README.md."""
