"""Grids of experiments: planned, run, recorded, compared."""
