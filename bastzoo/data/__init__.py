"""Data sets: which sounds are heard from where, in which split, rendered on demand."""
