"""Which ear is which: responses from the sides say it, whatever a file says of its receivers."""

from __future__ import annotations

import numpy as np

from bastzoo.errors import DataError

_ONSET = 0.15
_ASIDE = 0.5
_AUDIBLE_DB = 0.2
_AUDIBLE_SECONDS = 20e-6
_LEAST_DELAY = 60e-6
_SOFTEST, _LOUDEST = 1e-9, 1e9


def check_responses(name: str, responses: np.ndarray) -> None:
    """Refuse responses [M, 2, N] that no converter gives, and those with a silent ear.

    Raises DataError, which begins with `name`.
    """
    peaks = np.abs(responses).max(-1)
    loudest = float(peaks.max())
    if loudest > 0 and not _SOFTEST <= loudest <= _LOUDEST:
        raise DataError(
            f"{name} has responses that reach {loudest:.3g}, which no converter gives: scale them to "
            f"about 1."
        )
    silent = np.flatnonzero((peaks <= loudest * 1e-12).any(-1))
    if len(silent):
        raise DataError(
            f"{name} has a silent ear in row {silent[0]} (of {len(silent)}): remove the row."
        )


def onsets(responses: np.ndarray) -> np.ndarray:
    """Samples [...] at which each response [..., N] first reaches 15 % of its peak, interpolated."""
    size = np.abs(responses)
    size = size / size.max(-1, keepdims=True)
    after = (size >= _ONSET).argmax(-1)
    before = np.maximum(after - 1, 0)
    low = np.take_along_axis(size, before[..., None], -1)[..., 0]
    high = np.take_along_axis(size, after[..., None], -1)[..., 0]
    rise = np.where(after > before, high - low, 1.0)
    return before + np.where(after > before, (_ONSET - low) / rise, 0.0)


def channel_0_is_left(
    name: str,
    directions: np.ndarray,
    responses: np.ndarray,
    arrivals: np.ndarray,
    *,
    right_first: bool,
    azimuths: str,
) -> bool:
    """Whether channel 0 of `responses` [M, 2, N] hears sounds from the left louder and earlier.

    arrivals: seconds [M, 2] at which they come.
    right_first: what the file says of its receivers. Where responses say the contrary of a file that
        names the right ear first, they are believed: many published files name it wrongly.
    azimuths: how they were taken to run, for the sentence.

    Raises DataError where nothing, or not enough, differs between the ears, where level and time
    contradict each other, and where channel 0 is called the left ear and hears the right: then ears are
    exchanged or azimuths reversed, which cannot be told apart on a listener whose halves are alike.
    """
    lateral = directions[:, 1]
    aside = np.abs(lateral) > _ASIDE
    if not aside.any():
        raise DataError(
            f"{name} has no source more than 30 degrees from the median plane, as if it gave elevations "
            f"only: give a file with sources at the sides."
        )
    side = np.sign(lateral[aside])
    energy = np.square(responses[aside]).sum(-1)
    louder = float(np.mean(side * 10 * np.log10(energy[:, 0] / energy[:, 1])))
    earlier = float(np.mean(side * np.diff(arrivals[aside])[:, 0]))
    by_level = int(np.sign(louder)) * (abs(louder) > _AUDIBLE_DB)
    by_time = int(np.sign(earlier)) * (abs(earlier) > _AUDIBLE_SECONDS)
    if by_level * by_time < 0:
        raise DataError(
            f"{name} is {abs(louder):.1f} dB {'louder' if louder > 0 else 'softer'} in the ear toward "
            f"the sound, which comes there {1e6 * abs(earlier):.0f} µs "
            f"{'earlier' if earlier > 0 else 'later'}: its responses and its delays belong to "
            f"different ears; check Data.IR and Data.Delay."
        )
    if abs(earlier) < _LEAST_DELAY:
        same = "level and time" if by_level == 0 else "time"
        raise DataError(
            f"{name} gives both ears the same {same} from the sides: give a file that was measured with a "
            f"listener between the ears, and that keeps the delay between them."
        )
    if by_time > 0:
        return True
    if right_first:
        return False
    other = "clockwise" if azimuths == "counter-clockwise" else "counter-clockwise"
    raise DataError(
        f"{name} is {'louder' if by_level else 'earlier'} in the ear away from the sound: its azimuths run "
        f"{other}, or its ears are exchanged; --azimuth-direction {other} turns the azimuths."
    )
