"""A model with weights that can be asked where a sound is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bastzoo.acoustics import SAMPLE_RATE
from bastzoo.directions import CREDIBLE_LEVELS, azimuth_of, elevation_of
from bastzoo.errors import DataError
from bastzoo.limits.memory import keep_freed_memory
from bastzoo.models.listening.audio import SoundFile, check_finite, check_rate, resampled
from bastzoo.models.listening.windows import SILENCE_DB, Ears, at_reference, levels, windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from bastzoo.model import BinauralLocalizer
    from bastzoo.models.sharing.record import ModelRecord

CONFIDENT_WITHIN = 10.0
"""Degrees: a confidence is the probability, as the model believes, that the true direction is so near."""

_BATCH = 16
"""Windows at a time: more are slower on a processor, whose caches they leave."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a localizer answers on a recording, one row a window (n windows).

    times: `[n]`, seconds from the beginning of the recording to the middle of the window.
    direction: `[n, 3]`, unit vectors, x front, y left, z up; NaN for a silent window.
    level: `[n, 2]`, decibels re full scale of the left and the right ear.
    confidence: `[n]`, probability that the true direction is within `CONFIDENT_WITHIN` degrees, as the
        model believes; None where the head does not say how sure it is.
    classes: `[n]`, names of what it was ("" when silent); None where the head does not say.
    has_elevation: whether the head answers more than the horizontal plane.
    notes: what is odd about the recording, in sentences.
    seconds: of the recording as it was heard; None where nobody counted. A window may reach beyond it.

    >>> import numpy as np, bastzoo as bz
    >>> answer = bz.Prediction(
    ...     times=np.array([0.25, 0.5]),
    ...     direction=np.array([[0.0, 1.0, 0.0], [np.nan] * 3]),
    ...     level=np.array([[-20.0, -26.0], [-90.0, -90.0]]),
    ...     window_seconds=0.5,
    ... )
    >>> len(answer), answer.azimuth.tolist()
    (2, [90.0, nan])
    """

    times: Float[np.ndarray, " n"]
    direction: Float[np.ndarray, "n 3"]
    level: Float[np.ndarray, "n 2"]
    window_seconds: float
    confidence: Float[np.ndarray, " n"] | None = None
    classes: np.ndarray | None = None
    has_elevation: bool = False
    notes: tuple[str, ...] = ()
    seconds: float | None = None

    def __len__(self) -> int:
        return len(self.times)

    @property
    def azimuth(self) -> Float[np.ndarray, " n"]:
        """Degrees, counter-clockwise, 0 front, +90 left; NaN for a silent window."""
        return azimuth_of(self.direction)

    @property
    def elevation(self) -> Float[np.ndarray, " n"] | None:
        """Degrees, up positive; None where the head answers the horizontal plane only."""
        return elevation_of(self.direction) if self.has_elevation else None

    @property
    def heard(self) -> np.ndarray:
        """`[n]`: whether a window holds anything to localize."""
        found: np.ndarray = np.isfinite(self.direction).all(axis=1)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a window, with None for what is not known: for tables, CSV and JSON."""
        half = self.window_seconds / 2
        named: dict[str, np.ndarray | None] = {
            "time_s": self.times,
            "azimuth_deg": self.azimuth,
            "elevation_deg": self.elevation,
            "confidence": self.confidence,
            "level_left_db": self.level[:, 0],
            "level_right_db": self.level[:, 1],
        }
        found = []
        for index in range(len(self)):
            row: dict[str, Any] = {"start_s": round(float(self.times[index]) - half, 4)}
            for name, values in named.items():
                if values is not None:
                    value = float(values[index])
                    row[name] = round(value, 4) if np.isfinite(value) else None
            if self.classes is not None:
                row["class"] = str(self.classes[index]) or None
            found.append(row)
        return found


class Localizer:
    """A network with weights, and all that is known of it.

    model: `BinauralLocalizer`, in evaluation mode. record: what it is (`ModelRecord`).

    >>> import numpy as np, bastzoo as bz
    >>> localizer = bz.load("default")
    >>> noise = np.random.default_rng(0).normal(size=8000) * 0.1
    >>> left_first = np.stack([noise, np.roll(noise, 8) * 0.5])
    >>> bool(localizer(left_first, rate=16000).azimuth[0] > 30)
    True
    """

    def __init__(self, model: BinauralLocalizer, record: ModelRecord) -> None:
        keep_freed_memory()
        self.model = model.eval()
        self.record = record

    def __repr__(self) -> str:
        parts = [component.name for component in self.record.components.values()]
        return f"Localizer({self.record.name!r}: {', '.join(parts)}, {self.record.sharing})"

    @property
    def name(self) -> str:
        """What it was loaded as."""
        return self.record.name

    @property
    def window_seconds(self) -> float:
        """How much sound an answer is given on."""
        return self.record.clip_samples / SAMPLE_RATE

    def __call__(
        self,
        sound: ArrayLike | Tensor | str | Path,
        rate: float | None = None,
        *,
        hop_ms: float = 250.0,
        ears: tuple[int, int] | None = None,
    ) -> Prediction | list[Prediction]:
        """Say where the sound is, in every window of `window_seconds`.

        sound: a waveform `[2, N]` of full scale 1, the left ear first; several of one length
            `[B, 2, N]`, for which a list is returned; or the path of a WAV, FLAC, OGG or AIFF file.
        rate: Hz, of a waveform (16 kHz if not given); any, it is resampled.
        hop_ms: milliseconds between the beginnings of windows.
        ears: for files of more than two channels, which are the left and the right, counted from 1.

        Raises DataError for what cannot be heard: another shape, NaN, mono, an unreadable file.
        """
        if isinstance(sound, str | Path):
            if rate is not None:
                raise DataError("A file says its rate itself; leave `rate` away.")
            with SoundFile(sound, ears=ears) as file:
                return self.hear(file.blocks(), file.rate, hop_ms=hop_ms)
        waves, rate = _waves(sound, rate)
        found = [self.hear([wave.T], rate, hop_ms=hop_ms) for wave in waves]
        return found if np.ndim(sound) == 3 else found[0]

    def hear(
        self, blocks: Iterable[np.ndarray], rate: float, *, hop_ms: float = 250.0
    ) -> Prediction:
        """Answer on a recording that comes in blocks, in memory that does not grow with the sound."""
        ears, samples = Ears(), 0

        def counted() -> Iterator[np.ndarray]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        parts = list(self.stream(counted(), rate, hop_ms=hop_ms, ears=ears))
        if not parts:
            raise DataError("The recording holds no sample.")

        def joined(name: str) -> Any:
            values = [getattr(part, name) for part in parts]
            return None if values[0] is None else np.concatenate(values)

        return Prediction(
            times=joined("times"),
            direction=joined("direction"),
            level=joined("level"),
            window_seconds=self.window_seconds,
            confidence=joined("confidence"),
            classes=joined("classes"),
            has_elevation=parts[0].has_elevation,
            notes=(*ears.notes(), *self._short(samples / rate)),
            seconds=samples / rate,
        )

    def _short(self, seconds: float) -> list[str]:
        """What to say of a recording that fills no window."""
        if seconds >= self.window_seconds:
            return []
        return [
            f"it is shorter than a window of {self.window_seconds:g} s, whose rest is taken as silent"
        ]

    def stream(
        self,
        blocks: Iterable[np.ndarray],
        rate: float,
        *,
        hop_ms: float = 250.0,
        ears: Ears | None = None,
        batch: int = _BATCH,
        to_the_end: bool = True,
    ) -> Iterator[Prediction]:
        """Yield answers on `batch` windows at a time, as soon as these have been heard (1 for live sound).

        ears: told of windows that are not silent and do not overlap: each takes as long as a frontend.
        Raises DataError as calls do.
        """
        check_rate(rate, "the recording")
        cut = windows(
            resampled(blocks, int(rate)),
            samples=self.record.clip_samples,
            hop=hop_samples(hop_ms),
            to_the_end=to_the_end,
        )
        due = 0.0  # first sample of the next window that says something new of the ears
        while group := list(islice(cut, batch)):
            clips = np.stack([window for _, window in group])
            level = levels(clips)
            louder = level.max(axis=1)
            heard = louder > SILENCE_DB
            starts = np.array([start for start, _ in group], dtype=np.float64)
            for start, window in zip(starts[heard], clips[heard], strict=True):
                if ears is not None and start >= due:
                    ears.hear(window)
                    due = start + self.record.clip_samples
            times = starts / SAMPLE_RATE + self.window_seconds / 2
            yield self._answers(at_reference(clips, louder), heard, times, level)

    def features(
        self, sound: ArrayLike | Tensor, rate: float | None = None
    ) -> Float[np.ndarray, "B D"]:
        """What the head sees of clips: pooled features of the fusion encoder, for models of one's own.

        sound: `[2, N]` or `[B, 2, N]`; N as long as a window at most, shorter ones end in silence.
        """
        waves, rate = _waves(sound, rate)
        clips = []
        for wave in waves:
            cut = windows(
                resampled([wave.T], int(rate)),
                samples=self.record.clip_samples,
                hop=self.record.clip_samples,
            )
            clips.append(next(cut)[1])
        stacked = np.stack(clips)
        brought = at_reference(stacked, levels(stacked).max(axis=1))
        found: list[Tensor] = []
        head: Any = self.model.head
        hook = head.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
        try:
            with torch.inference_mode():
                self.model(self._tensor(brought))
        finally:
            hook.remove()
        return found[0].float().cpu().numpy()

    def _answers(
        self, clips: np.ndarray, heard: np.ndarray, times: np.ndarray, level: np.ndarray
    ) -> Prediction:
        direction = np.full((len(clips), 3), np.nan)
        confidence = classes = None
        decoded: dict[str, Tensor] = {}
        if heard.any():
            decoded = self._decoded(clips[heard])
            direction[heard] = decoded["direction"].double().cpu().numpy()
        if "radii" in self._answered:
            confidence = np.full(len(clips), np.nan)
            if heard.any():
                confidence[heard] = confidence_of(decoded["radii"].double().cpu().numpy())
        if "class" in self._answered:
            names = np.array(self.record.classes)
            classes = np.full(len(clips), "", dtype=object)
            if heard.any():
                classes[heard] = names[decoded["class"].cpu().numpy()]
        return Prediction(
            times,
            direction,
            level,
            self.window_seconds,
            confidence,
            classes,
            has_elevation=self.record.has_elevation,
        )

    @cached_property
    def _answered(self) -> frozenset[str]:
        """What the head answers, asked of it once: a silent window has no answer that would tell."""
        return frozenset(self._decoded(np.zeros((1, 2, self.record.clip_samples), np.float32)))

    def _decoded(self, clips: np.ndarray) -> dict[str, Tensor]:
        head: Any = self.model.head
        with torch.inference_mode():
            decoded: dict[str, Tensor] = head.decode(self.model(self._tensor(clips)))
        return decoded

    def _tensor(self, clips: np.ndarray) -> Tensor:
        device = next(self.model.parameters()).device
        return torch.from_numpy(np.ascontiguousarray(clips)).to(device)


def hop_samples(hop_ms: float) -> int:
    """Samples of a hop. Raises DataError for one that is shorter than a sample."""
    samples = round(hop_ms * SAMPLE_RATE / 1000) if np.isfinite(hop_ms) else 0
    if samples < 1:
        raise DataError(f"A hop of {hop_ms:g} ms is none; give 0.1 ms at least.")
    return samples


def confidence_of(radii: Float[np.ndarray, "n K"]) -> Float[np.ndarray, " n"]:
    """From the radii of caps (`bastzoo.directions.CREDIBLE_LEVELS`) to the probability of the one that has
    a radius of `CONFIDENT_WITHIN`; linear between them.
    """
    levels_ = np.array([0.0, *CREDIBLE_LEVELS, 1.0])
    rows = np.pad(radii, ((0, 0), (1, 1)), constant_values=((0, 0), (0.0, 180.0)))
    return np.array([np.interp(CONFIDENT_WITHIN, row, levels_) for row in rows])


def _waves(
    sound: ArrayLike | Tensor | Any, rate: float | None
) -> tuple[Float[np.ndarray, "B 2 N"], float]:
    values = sound.detach().cpu().numpy() if isinstance(sound, Tensor) else np.asarray(sound)
    if values.dtype.kind in "iu":
        raise DataError(
            f"The waveform holds integers ({values.dtype}); scale it to full scale 1 first "
            "(divide 16-bit samples by 32768)."
        )
    waves = values[None] if values.ndim == 2 else values
    if waves.ndim != 3 or waves.shape[1] != 2 or not waves.size:
        raise DataError(
            f"A waveform is [2, N], the left ear first, or [B, 2, N]; this one is {list(values.shape)}."
        )
    rate = SAMPLE_RATE if rate is None else rate
    check_rate(rate, "the waveform")
    check_finite(waves.swapaxes(1, 2).reshape(-1, 2), 0.0, None, "the waveform")
    return waves.astype(np.float32), rate
