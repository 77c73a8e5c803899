"""How people's ears differ from KEMAR's: the figures of `bastzoo.acoustics.listeners.individual`.

usage: python benchmarks/listener_statistics.py FILE.sofa [FILE.sofa ...]

For each listener KEMAR is stretched along frequency until its responses, less their mean over directions, are
nearest to the listener's; what is left is a field over directions and frequency, and one of delays.
"""

from __future__ import annotations

import sys

import numpy as np

from bastzoo.acoustics.listeners.individual import (
    DEGREE,
    ORDERS,
    cepstra,
    harmonics,
    interaural_delays,
)
from bastzoo.acoustics.listeners.interpolation import interpolated
from bastzoo.acoustics.listeners.listener import kemar, read_sofa, stretched

DIRECTIONS, LOWEST, RIDGE = 600, -0.65, 0.5
# Keeps harmonics of high degrees from growing where nobody was measured: they spread as much as they explain.
STRETCHES = np.arange(0.80, 1.26, 0.05).round(2)


def main(paths: list[str]) -> None:
    np.set_printoptions(precision=2, suppress=True, linewidth=160)
    spiral = around()
    own = read_sofa(paths[0])
    points = np.unique(own.nearest(spiral))
    directions = own.directions[points]
    waves, degrees, mirror = harmonics(directions)
    ridge = RIDGE * len(waves) * np.diag((degrees / DEGREE) ** 2)
    fit = np.linalg.solve(waves.T @ waves + ridge, waves.T)
    bases = {}
    for factor in STRETCHES:
        base = interpolated(stretched(float(factor)), directions)
        bases[factor] = cepstra(base.responses[base.nearest(directions)])
    ears = interpolated(kemar(), directions)
    reference = interaural_delays(ears.responses[ears.nearest(directions)])
    fields, factors, widths, delays, before, after, rest = [], [], [], [], [], [], []
    for path in paths:
        listener = read_sofa(path)
        responses = listener.responses[listener.nearest(directions)]
        mine = cepstra(responses)
        for ear in (0, 1):
            differences = {factor: mine[:, ear] - base[:, ear] for factor, base in bases.items()}
            factor = min(differences, key=lambda one: spread(differences[one]))
            difference = differences[factor]
            difference[:, 0] -= difference[:, 0].mean()
            field = fit @ difference
            fields.append(field * (mirror[:, None] if ear else 1))
            factors.append(factor)
            before.append(spread(differences[1.0]))
            after.append(spread(difference))
            rest.append(spread(difference - waves @ field))
        found = interaural_delays(responses)
        width = (found @ reference) / (reference @ reference)
        widths.append(width)
        delays.append(fit @ (found - width * reference))
    table = np.array(fields)
    residual = np.array(delays) * 1e6
    by_degree = [degrees == degree for degree in range(DEGREE + 1)]
    print(f"{len(paths)} listeners, {len(points)} directions, {ORDERS} cepstral coefficients")
    print(
        f"spread over directions, dB: KEMAR {rms(before):.2f}, stretched {rms(after):.2f}, ", end=""
    )
    print(f"what harmonics to degree {DEGREE} leave {rms(rest):.2f}")
    print(f"factor along frequency {np.mean(factors):.3f} ± {np.std(factors):.3f}; ", end="")
    print(f"left over right {np.std(np.array(factors)[::2] / np.array(factors)[1::2]):.3f}")
    print(f"factor of delays {np.mean(widths):.3f} ± {np.std(widths):.3f}")
    print("delays left, us by degree", np.array([rms(residual[:, d]) for d in by_degree]))
    print("mean of degree 0, dB by order", canal := table[:, 0].mean(0))
    table[:, 0] -= canal
    left, right = table[0::2], table[1::2]
    alike = (left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum())
    print(f"ears of one person alike {alike:.2f}")
    print("levels, dB: rows by degree, columns by order")
    for d in by_degree:
        print("    (" + ", ".join(f"{rms(table[:, d, k]):.2f}" for k in range(ORDERS)) + "),")


def around() -> np.ndarray:
    """Directions spread evenly over the sphere (Fibonacci's spiral), without those below the listener."""
    number = np.arange(DIRECTIONS) + 0.5
    height = 1 - 2 * number / DIRECTIONS
    turn = np.pi * (1 + 5**0.5) * number
    wide = np.sqrt(1 - height**2)
    points = np.stack([wide * np.cos(turn), wide * np.sin(turn), height], axis=1)
    return np.asarray(points[height > LOWEST])


def spread(coefficients: np.ndarray) -> float:
    """Standard deviation (dB) over directions of levels with these cepstral coefficients."""
    apart = coefficients - coefficients.mean(axis=0)
    return float(np.sqrt((apart[:, 0] ** 2 + (apart[:, 1:] ** 2).sum(1) / 2).mean()))


def rms(values: np.ndarray | list[float]) -> float:
    return float(np.sqrt(np.square(values).mean()))


if __name__ == "__main__":
    main(sys.argv[1:])
