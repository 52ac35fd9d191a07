"""Side-by-side measurements, each one command; the last table of each stands beside it."""
