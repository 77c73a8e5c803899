"""Sounds: mono recordings of 500 ms, made from a seed or read from files."""

from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""What a corpus is divided into: no sound is in two of them."""
