"""From a mono sound to a binaural clip: sounds, listeners, rooms and their rendering.

Only the two constants that every clip shares live here; import the modules themselves for the rest,
so that nothing heavy is loaded before it is used.
"""

SAMPLE_RATE = 16_000
"""Samples a second of every sound, response and clip."""

CLIP_SAMPLES = 8_000
"""Samples of a clip: 500 ms."""
