"""Sounds: mono recordings of 500 ms, made from a seed or read from files."""
