"""Clips that are made when they are asked for: places, scenes, draws, and one sound by itself."""
