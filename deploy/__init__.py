"""Ways to run the studio beyond one machine; each is optional and has its own README."""
