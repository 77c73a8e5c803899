"""Random numbers that depend on a seed and an index alone, the same in every numpy version.

numpy promises a stable stream for its bit generators, not for the distributions made from them, so
the distributions are made here from raw Philox words.
"""

import numpy as np

_TO_UNIT = 2.0**-53


class Draw:
    """The stream of one sound: Philox-4x64 (Salmon et al., SC 2011) keyed by `(seed, index)`."""

    def __init__(self, seed: int, index: int) -> None:
        self._words = np.random.Philox(key=(seed << 64) | index)

    def fractions(self, size: int) -> np.ndarray:
        """`size` values, float64, uniform in [0, 1)."""
        return (self._words.random_raw(size) >> np.uint64(11)) * _TO_UNIT

    def fraction(self) -> float:
        """One value, uniform in [0, 1)."""
        return float(self.fractions(1)[0])

    def uniform(self, low: float, high: float) -> float:
        """One value, uniform between `low` and `high`."""
        return low + (high - low) * self.fraction()

    def log_uniform(self, low: float, high: float) -> float:
        """One value whose logarithm is uniform: what pitches, rates and time constants want."""
        return low * (high / low) ** self.fraction()

    def integer(self, low: int, high: int) -> int:
        """One whole number from `low` to `high`, both possible."""
        return low + int(self.fraction() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.fraction() < probability

    def normal(self, size: int) -> np.ndarray:
        """Independent standard normal values (Box & Muller, 1958)."""
        half = (size + 1) // 2
        radius = np.sqrt(-2.0 * np.log1p(-self.fractions(half)))
        angle = (2.0 * np.pi) * self.fractions(half)
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:size]
