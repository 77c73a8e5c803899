"""The families of procedural sounds: each turns a stream of random numbers into half a second.

They stand in for the everyday sounds that BAST was trained on, so each family has onsets, changes
over time, and spreads over several octaves; without those a sound cannot be localized. What comes
out has any scale: `bastzoo.acoustics.sounds.corpus` sets level, fades and noise floor.
"""

from collections.abc import Callable

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.draws import Draw

Family = Callable[[Draw], np.ndarray]

_TIME = np.arange(CLIP_SAMPLES) / SAMPLE_RATE
_DURATION = CLIP_SAMPLES / SAMPLE_RATE
_FREQUENCIES = np.fft.rfftfreq(CLIP_SAMPLES, 1 / SAMPLE_RATE)
_TOP = 7_600.0
"""Hz; partials end below the Nyquist frequency, so that none folds back."""

# ---- parts ------------------------------------------------------------


def _filtered(signal: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """`signal` with its spectrum times `gain` (4001 bins); circular, which noise does not mind."""
    return np.fft.irfft(np.fft.rfft(signal) * gain, CLIP_SAMPLES)


def _slope(decibels_per_octave: float) -> np.ndarray:
    """A straight line on a log-log plot, 0 dB at 1 kHz, level below 60 Hz."""
    return (np.maximum(_FREQUENCIES, 60.0) / 1_000.0) ** (decibels_per_octave / 6.0206)


def _band(centre: float, octaves: float) -> np.ndarray:
    """A bell around `centre` (Hz), `octaves` wide at -8.7 dB, with a floor of -50 dB."""
    distance = np.log2(np.maximum(_FREQUENCIES, 1.0) / centre) / (octaves / 2)
    return np.exp(-(distance**2)) + 10 ** (-50 / 20)


def _resonances(centres: list[float], widths: list[float], gains: list[float]) -> np.ndarray:
    """The sum of simple resonances (Hz, Hz, linear): formants, or the modes of a struck thing."""
    total = np.full(_FREQUENCIES.shape, 10 ** (-40 / 20))
    for centre, width, gain in zip(centres, widths, gains, strict=True):
        total += gain / np.sqrt(1.0 + ((_FREQUENCIES - centre) / (width / 2)) ** 2)
    return total


def _coloured(draw: Draw, low: float, high: float) -> np.ndarray:
    """Noise whose spectrum falls by `low` to `high` dB an octave."""
    return _filtered(draw.normal(CLIP_SAMPLES), _slope(draw.uniform(low, high)))


def _stroke(start: float, attack: float, hold: float, decay: float) -> np.ndarray:
    """An envelope (all in s): linear attack from `start`, a plateau, then an exponential decay."""
    since = _TIME - start
    rising = np.clip(since / attack, 0.0, 1.0)
    return rising * np.exp(-np.maximum(since - attack - hold, 0.0) / decay)


def _wander(draw: Draw, rate: float, depth: float) -> np.ndarray:
    """A slow random curve around 1: a cosine-interpolated walk with `rate` knots a second."""
    knots = 2 + int(rate * _DURATION)
    values = 1.0 + depth * (2.0 * draw.fractions(knots) - 1.0)
    place = _TIME / _DURATION * (knots - 1)
    left = np.minimum(place.astype(np.int64), knots - 2)
    blend = 0.5 - 0.5 * np.cos(np.pi * (place - left))
    return values[left] * (1.0 - blend) + values[left + 1] * blend


def _phase(frequency: np.ndarray) -> np.ndarray:
    """The running phase (rad) of a frequency curve (Hz)."""
    return (2.0 * np.pi / SAMPLE_RATE) * np.cumsum(frequency)


def _partials(phase: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Sum of `gains[k - 1] * cos(k * phase)`, by Chebyshev's recurrence: one cosine for all."""
    double = 2.0 * np.cos(phase)
    before, now = np.ones_like(phase), double / 2.0
    total = gains[0] * now
    for gain in gains[1:]:
        before, now = now, double * now - before
        total += gain * now
    return total


def _voice(draw: Draw, pitch: np.ndarray, slope: float) -> np.ndarray:
    """Every partial of `pitch` (Hz) below `_TOP`, with `slope` dB an octave (below 0: falling)."""
    count = max(1, int(_TOP / pitch.max()))
    gains = np.arange(1, count + 1) ** (slope / 6.0206)
    return _partials(_phase(pitch) + 2.0 * np.pi * draw.fraction(), gains)


def _hits(draw: Draw, rate: float, jitter: float) -> np.ndarray:
    """Impulses at `rate` a second, uneven in distance and height; a full one within 20 ms."""
    count = int(rate * _DURATION) + 1
    gaps = (1.0 + jitter * (2.0 * draw.fractions(count) - 1.0)) / rate
    places = (SAMPLE_RATE * (draw.uniform(0.002, 0.02) + np.cumsum(gaps) - gaps[0])).astype(
        np.int64
    )
    heights = 10 ** (-12.0 * draw.fractions(count) / 20)
    heights[0] = 1.0
    train = np.zeros(CLIP_SAMPLES)
    inside = places < CLIP_SAMPLES
    train[places[inside]] = heights[inside]
    return train


def _struck(train: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """`train` convolved with `tail`, linearly: what rings past the end is cut."""
    size = 2 * CLIP_SAMPLES
    return np.fft.irfft(np.fft.rfft(train, size) * np.fft.rfft(tail, size), size)[:CLIP_SAMPLES]


def _formants(draw: Draw) -> np.ndarray:
    """The vocal tract of some vowel: three formants, of a man to a child, and two above them."""
    size = draw.uniform(0.9, 1.25)
    first, second = draw.log_uniform(280, 800), draw.log_uniform(850, 2_300)
    centres = [
        first * size,
        second * size,
        draw.uniform(2_400, 2_900) * size,
        3_600 * size,
        4_700 * size,
    ]
    widths = [80.0, 110.0, 160.0, 220.0, 300.0]
    gains = [1.0, draw.uniform(0.3, 0.8), draw.uniform(0.15, 0.4), 0.15, 0.1]
    return _resonances(centres, widths, gains)


def _pitch(draw: Draw, low: float, high: float) -> np.ndarray:
    """The pitch (Hz) of a speaking voice: a glide of up to a fourth with some unsteadiness."""
    glide = draw.uniform(-5, 5) / 12
    return draw.log_uniform(low, high) * 2 ** (glide * _TIME / _DURATION) * _wander(draw, 12, 0.02)


# ---- families ---------------------------------------------------------


def noise_bursts(draw: Draw) -> np.ndarray:
    """One to five bursts of coloured noise: claps, puffs, steps."""
    count = draw.integer(1, 5)
    envelope = np.zeros(CLIP_SAMPLES)
    for number in range(count):
        start = number * _DURATION / count + draw.uniform(0.0, 0.03)
        hold = draw.uniform(0.1, 0.6) * _DURATION / count
        envelope += draw.uniform(0.4, 1.0) * _stroke(
            start, draw.log_uniform(0.0005, 0.01), hold, draw.log_uniform(0.003, 0.04)
        )
    return envelope * _coloured(draw, -6, 2)


def modulated_noise(draw: Draw) -> np.ndarray:
    """Noise whose level beats at 3 to 80 Hz: engines, wings, crickets of noise."""
    beat = 0.5 + 0.5 * np.sin(
        _phase(draw.log_uniform(3, 80) * _wander(draw, 6, 0.2)) + draw.uniform(0, 6.3)
    )
    depth = draw.uniform(0.7, 1.0)
    return (1.0 - depth + depth * beat ** draw.log_uniform(0.7, 4)) * _coloured(draw, -7, 1)


def band_noise(draw: Draw) -> np.ndarray:
    """Noise around one frequency, one to three octaves wide, swelling and fading: whooshes."""
    noise = _filtered(
        draw.normal(CLIP_SAMPLES), _band(draw.log_uniform(600, 4_500), draw.uniform(1, 3))
    )
    return (
        noise
        * _wander(draw, draw.log_uniform(4, 20), 0.8)
        * _stroke(draw.uniform(0, 0.04), 0.004, 1, 1)
    )


def coloured_noise(draw: Draw) -> np.ndarray:
    """Pink to brown noise with a restless level: wind, surf, traffic."""
    return _coloured(draw, -6.5, -2.5) * _wander(draw, draw.log_uniform(4, 30), 0.9)


def harmonic_tones(draw: Draw) -> np.ndarray:
    """One to three notes with vibrato: strings, reeds, horns."""
    notes = draw.integer(1, 3)
    base, slope = draw.log_uniform(90, 600), draw.uniform(-7, -2)
    vibrato = 1 + draw.uniform(0.003, 0.03) * np.sin(2 * np.pi * draw.uniform(4, 8) * _TIME)
    colour = _band(draw.log_uniform(700, 4_000), draw.uniform(3, 6))
    total = np.zeros(CLIP_SAMPLES)
    for number in range(notes):
        pitch = base * 2 ** (draw.integer(-5, 7) / 12) * vibrato
        start = number * _DURATION / notes + draw.uniform(0.0, 0.02)
        hold = _DURATION / notes * draw.uniform(0.5, 0.8)
        envelope = _stroke(start, draw.log_uniform(0.002, 0.03), hold, 0.03)
        total += envelope * _voice(draw, pitch, slope)
    return _filtered(total, colour) + 0.01 * total.std() * draw.normal(CLIP_SAMPLES)


def chirps(draw: Draw) -> np.ndarray:
    """Two to seven short sweeps with a little breath: birds."""
    count = draw.integer(2, 7)
    top, voice, breath = (
        draw.log_uniform(1_800, 3_600),
        np.zeros(CLIP_SAMPLES),
        draw.uniform(0.03, 0.12),
    )
    for number in range(count):
        start = number * _DURATION / count + draw.uniform(0.0, 0.02)
        length = draw.uniform(0.5, 0.9) * _DURATION / count
        place = np.clip((_TIME - start) / length, 0.0, 1.0)
        frequency = (
            top
            * draw.uniform(0.6, 1.0)
            * draw.log_uniform(0.3, 1.0) ** (place if draw.chance(0.5) else 1.0 - place)
        )
        envelope = np.sqrt(np.sin(np.pi * place).clip(0.0))
        voice += envelope * _partials(_phase(frequency), np.array([1.0, draw.uniform(0.2, 0.7)]))
        voice += envelope * breath * draw.normal(CLIP_SAMPLES)
    return voice


def sirens(draw: Draw) -> np.ndarray:
    """A rich tone whose pitch swings widely: alarms, howls, whistles."""
    swing = np.sin(2 * np.pi * draw.log_uniform(2, 30) * _TIME + draw.uniform(0, 6.3))
    frequency = draw.log_uniform(250, 1_100) * 2 ** (draw.uniform(0.2, 1.0) * swing)
    tone = _voice(draw, frequency, draw.uniform(-7, -2))
    gate = 0.15 + 0.85 * (
        np.sin(2 * np.pi * draw.uniform(2, 8) * _TIME + draw.uniform(0, 6.3)) > -0.5
    )
    return tone * gate * _wander(draw, 10, 0.4) + 0.02 * draw.normal(CLIP_SAMPLES)


def clicks(draw: Draw) -> np.ndarray:
    """Trains of clicks, 5 to 80 a second: keys, clocks, ratchets, Geiger counters."""
    tail = np.exp(-_TIME / draw.log_uniform(0.0003, 0.004)) * draw.normal(CLIP_SAMPLES)
    return _struck(_hits(draw, draw.log_uniform(5, 80), draw.uniform(0.0, 0.9)), tail)


def vowels(draw: Draw) -> np.ndarray:
    """A voice that glides from one vowel to another."""
    source = _voice(draw, _pitch(draw, 85, 380), draw.uniform(-6, -2))
    source += draw.uniform(0.02, 0.2) * draw.normal(CLIP_SAMPLES)
    blend = np.clip((_TIME - draw.uniform(0.05, 0.2)) / draw.uniform(0.05, 0.25), 0.0, 1.0)
    voiced = (1 - blend) * _filtered(source, _formants(draw)) + blend * _filtered(
        source, _formants(draw)
    )
    return voiced * _stroke(
        draw.uniform(0, 0.03), draw.log_uniform(0.003, 0.03), draw.uniform(0.2, 0.4), 0.05
    )


def rain(draw: Draw) -> np.ndarray:
    """Hundreds of small drops a second over a hiss: rain, frying, gravel."""
    drops = draw.fractions(CLIP_SAMPLES) < draw.log_uniform(150, 1_500) / SAMPLE_RATE
    heights = drops * np.exp(1.2 * draw.normal(CLIP_SAMPLES))
    ring = draw.log_uniform(1_000, 5_000)
    tail = np.exp(-_TIME / draw.log_uniform(0.0005, 0.003)) * np.sin(2 * np.pi * ring * _TIME + 1.0)
    wet = _struck(heights * np.sign(draw.normal(CLIP_SAMPLES)), tail)
    return wet + draw.uniform(0.03, 0.3) * wet.std() * _coloured(draw, -4, 1)


def rattles(draw: Draw) -> np.ndarray:
    """Something with a few resonances, struck 3 to 40 times a second: dishes, keys, wood."""
    modes = draw.integer(3, 6)
    tail = np.exp(-_TIME / 0.001) * draw.normal(CLIP_SAMPLES)
    for _ in range(modes):
        decay = np.exp(-_TIME / draw.log_uniform(0.003, 0.08))
        tail += (
            draw.uniform(0.3, 1.0)
            * decay
            * np.sin(2 * np.pi * draw.log_uniform(300, 6_500) * _TIME)
        )
    return _struck(_hits(draw, draw.log_uniform(3, 40), draw.uniform(0.1, 0.7)), tail)


def plosives(draw: Draw) -> np.ndarray:
    """One to three syllables of burst, breath and vowel: pa, ta, ka."""
    syllables = draw.integer(1, 3)
    voice = _voice(draw, _pitch(draw, 85, 350), draw.uniform(-6, -3))
    total = np.zeros(CLIP_SAMPLES)
    for number in range(syllables):
        start = number * _DURATION / syllables + draw.uniform(0.005, 0.03)
        breath = draw.log_uniform(0.01, 0.06)
        burst = _stroke(start, 0.0005, 0.002, draw.log_uniform(0.002, 0.006))
        release = 4.0 * burst + 0.5 * _stroke(start, 0.002, breath, 0.02)
        noise = _filtered(draw.normal(CLIP_SAMPLES), _band(draw.log_uniform(800, 5_000), 2.5))
        vowel = _stroke(start + breath, 0.01, draw.uniform(0.3, 0.5) * _DURATION / syllables, 0.03)
        total += release * noise + vowel * _filtered(voice, _formants(draw))
    return total


FAMILIES: dict[str, Family] = {
    "noise-bursts": noise_bursts,
    "modulated-noise": modulated_noise,
    "band-noise": band_noise,
    "coloured-noise": coloured_noise,
    "harmonic-tones": harmonic_tones,
    "chirps": chirps,
    "sirens": sirens,
    "clicks": clicks,
    "vowels": vowels,
    "rain": rain,
    "rattles": rattles,
    "plosives": plosives,
}
