"""Makes `example.wav`: sounds around a dummy head in a measured room, which no training has heard.

    pip install ./plugins/bastzoo-measured
    bastzoo data fetch surrey
    python docs/example.py
    bastzoo predict example.wav --plot docs/where.svg

The room is Surrey's D (Hummersone et al. 2010, MIT licence), with a reverberation time of 0.89 s; its dummy
head was measured from 1.5 m. The sounds are bastzoo's own.
"""

import sys

import numpy as np
import soundfile
from scipy.signal import fftconvolve

from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.data.sets.folder import read_members
from bastzoo.directions import azimuth_of
from bastzoo.errors import BastzooError
from bastzoo.plugins import default_registry

ROOM = sys.argv[1] if len(sys.argv) > 1 else "D"
WALK = (80, 60, 40, 20, 0, -20, -40, -60, -80)  # degrees, + left
SOUNDS = range(9_000, 9_000 + len(WALK))
SILENCE = 5  # of the walk: nothing is heard there


def main() -> None:
    """Write the file."""
    (room,) = read_members(f"surrey/{ROOM}", "rooms", default_registry())
    measured = room.ears
    sounds = make_corpus(SOUNDS, seed=5).samples
    heard = np.zeros((16_000 * (len(WALK) + 1), 2))
    for number, (azimuth, sound) in enumerate(zip(WALK, sounds, strict=True)):
        if number == SILENCE:
            continue
        index = int(np.abs(azimuth_of(measured.directions) - azimuth).argmin())
        ears = np.stack([fftconvolve(sound, ear) for ear in measured.responses[index]], axis=1)
        start = 16_000 * number
        part = ears[: len(heard) - start]
        heard[start : start + len(part)] += part / np.sqrt(np.mean(part**2))
    noise = np.random.default_rng(0).normal(size=heard.shape)
    soundfile.write("example.wav", 0.3 * (heard + 0.005 * noise) / np.abs(heard).max(), 16_000)


if __name__ == "__main__":
    try:
        main()
    except BastzooError as error:
        sys.exit(f"Error: {error}")
