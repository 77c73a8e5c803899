"""Pictures of what was heard: error by noise, duration, room, listener, class and band of the sound."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from bastzoo.acoustics import CLIP_SAMPLES, SAMPLE_RATE
from bastzoo.acoustics.sounds.corpus import make_corpus
from bastzoo.boards.published import published_on_track
from bastzoo.boards.rows import ad_of
from bastzoo.boards.statistics import Interval
from bastzoo.plots.canvas import Canvas, picture
from bastzoo.plots.results import Design, NothingToDrawError, plain
from bastzoo.records.record import Evaluation, TrackRecord

_OF_THE_CORPUS = re.compile(r"(?P<family>[a-z][a-z-]*)-(?P<seed>\d{1,9})-(?P<number>\d{1,9})")
"""Ids of the embedded sounds: family, corpus seed, number (`bastzoo.acoustics.sounds`)."""

OCTAVES = (125, 250, 500, 1000, 2000, 4000)
"""Centres of the octave bands of a sound at 16 kHz, Hz (IEC 61260-1)."""

LISTENER_TRACKS = ("measured-heads", "unseen-head")
ROOM_TRACKS = ("measured-rooms",)


def cases_of(design: Design, track: str) -> dict[str, list[Evaluation]]:
    """The tests of a track by the case's label, one for each seed that was tested on it."""
    records = [result.on_track(track) for result in design.results]
    tested: list[TrackRecord] = [record for record in records if record is not None]
    if not tested:
        return {}
    labels = [case.label for case in tested[0].cases]
    by_label = [{case.label: case.evaluation for case in record.cases} for record in tested]
    return {
        label: [found[label] for found in by_label]
        for label in labels
        if all(label in f for f in by_label)
    }


def _on_track(
    canvas: Canvas, tracks: Sequence[str]
) -> tuple[str, list[tuple[Design, Any, dict[str, list[Evaluation]]]]]:
    """The first of the tracks that some design was tested on, and those designs with their cases."""
    for track in tracks:
        found = [(d, look, cases_of(d, track)) for d, look in canvas.pairs()]
        found = [one for one in found if one[2]]
        if found:
            return track, found
    names = " or ".join(tracks)
    raise NothingToDrawError(
        f"None of these was tested on the track {names} (`bastzoo evaluate RUN --track {tracks[0]}`)."
    )


def _against(canvas: Canvas, tracks: Sequence[str], unit: str, axis: str) -> Any:
    """AD against a number in the labels of a track's cases, the published curves in grey."""
    track, drawn = _on_track(canvas, tracks)
    (axes,) = canvas.axes()
    numbers = [_number(label, unit) for _, _, cases in drawn for label in cases]
    finite = sorted({n for n in numbers if math.isfinite(n)})
    step = float(np.median(np.diff(finite))) if len(finite) > 1 else 10.0
    clean = (finite[-1] if finite else 0.0) + 1.6 * step
    published = published_on_track(track)
    for place, values in enumerate(published):
        xs, ys = _placed(values, unit, clean)
        label = "published, other data" if not place else "_published"
        axes.plot(
            xs,
            ys,
            color=canvas.style.faint,
            lw=0.7 * canvas.style.line,
            alpha=0.7,
            zorder=1,
            label=label,
        )
    for design, look, cases in drawn:
        known = {label: ad_of(evaluations) for label, evaluations in cases.items()}
        xs, ys = _placed({label: ad for label, (ad, _) in known.items()}, unit, clean)
        ends = [
            _placed({label: end[side] for label, (_, end) in known.items()}, unit, clean)[1]
            for side in (0, 1)
        ]
        axes.plot(xs, ys, marker=look.marker, label=design.label, **look.line)
        if np.isfinite(ends).all():
            axes.fill_between(xs, *ends, color=look.colour, alpha=0.15, lw=0)
    ticks = [n for n in finite if len(finite) <= 6 or n % 10 == 0]
    words = [f"{n:g}" for n in ticks]
    if math.inf in numbers:
        ticks, words = [*ticks, clean], [*words, "clean"]
    axes.set_xticks(ticks, words)
    axes.set_ylim(0, None)
    axes.set_xlabel(axis)
    axes.set_ylabel("mean AD (°)")
    axes.grid(visible=True, axis="y")
    canvas.legend(axes)
    return axes


def _number(label: str, unit: str) -> float:
    """The number of a case's label: "20 dB" is 20, "clean" infinite, anything else NaN."""
    if label == "clean":
        return math.inf
    try:
        return float(label.removesuffix(unit))
    except ValueError:
        return math.nan


def _placed(
    values: Mapping[str, float], unit: str, clean: float
) -> tuple[list[float], list[float]]:
    """The points of a curve in order; "clean" stands at the right."""
    points = []
    for label, value in values.items():
        x = _number(label, unit)
        if not math.isnan(x):
            points.append((clean if math.isinf(x) else x, value))
    points.sort()
    return [x for x, _ in points], [y for _, y in points]


@picture
def snr(canvas: Canvas) -> Any:
    """Mean AD against the signal-to-noise ratio of the test, with 95 % intervals; BAST-Mamba's in grey.

    The published curves (one for each SNR of training) are of other data: only their shapes compare.
    Returns the axes.
    """
    return _against(canvas, ("snr", "snr-white"), " dB", "signal-to-noise ratio (dB)")


@picture
def duration(canvas: Canvas) -> Any:
    """Mean AD against how much of the sound was heard, with 95 % intervals; BAST-Mamba's in grey.

    Returns the axes.
    """
    return _against(canvas, ("duration",), " ms", "heard of the sound (ms)")


def _dots(
    canvas: Canvas,
    groups: Sequence[tuple[Design, Any, Mapping[str, tuple[float, Interval | None]]]],
) -> Any:
    """A row for each group, a dot for each design, its interval as a line."""
    names = list(dict.fromkeys(name for _, _, found in groups for name in found))
    offsets = np.linspace(-0.28, 0.28, len(groups)) if len(groups) > 1 else np.zeros(1)
    lines = len(names) * max(1.0, 0.4 * len(groups)) + 3.5
    (axes,) = canvas.axes(height=1.6 * lines * canvas.style.text / 72 / canvas.style.column)
    for offset, (design, look, found) in zip(offsets, groups, strict=True):
        rows = [names.index(name) + offset for name in found]
        values = [value for value, _ in found.values()]
        axes.plot(
            values,
            rows,
            ls="",
            marker=look.marker,
            color=look.colour,
            label=design.label,
            clip_on=False,
        )
        for row, (_, ends) in zip(rows, found.values(), strict=True):
            if ends is not None and np.isfinite(ends).all():
                axes.plot(ends, [row, row], color=look.colour, lw=0.8 * canvas.style.line)
    axes.set_yticks(range(len(names)), [plain(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    drawn = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    axes.set_xlim(0, 1.05 * max([1.0, *(float(np.nanmax(xs)) for xs in drawn if len(xs))]))
    axes.set_xlabel("mean AD (°)")
    axes.grid(visible=True, axis="x")
    canvas.legend(axes)
    return axes


def _by_case(
    canvas: Canvas, tracks: Sequence[str]
) -> list[tuple[Design, Any, dict[str, tuple[float, Interval | None]]]]:
    _, drawn = _on_track(canvas, tracks)
    return [
        (design, look, {label: ad_of(evaluations) for label, evaluations in cases.items()})
        for design, look, cases in drawn
    ]


@picture
def room_error(canvas: Canvas) -> Any:
    """Mean AD in each room: of the run's own test, and of the tracks of rooms where it was tested on them.

    Cases of tracks have 95 % intervals over sounds; a record keeps none for a room of the run's own test.
    Returns the axes.
    """
    found = []
    for design, look in canvas.pairs():
        rows: dict[str, tuple[float, Interval | None]] = {}
        for room in design.evaluations[0].by_room:
            values = [e.by_room.get(room, {}).get("ad_mean") for e in design.evaluations]
            known = [float(value) for value in values if value is not None]
            if known:
                rows[room] = (float(np.mean(known)), None)
        for track in ROOM_TRACKS:
            rows |= {label: ad_of(tests) for label, tests in cases_of(design, track).items()}
        found.append((design, look, rows))
    if not any(rows for _, _, rows in found):
        raise NothingToDrawError("The records have no figures by room.")
    return _dots(canvas, found)


@picture
def listener_error(canvas: Canvas) -> Any:
    """Mean AD for each listener of the tracks of listeners, with 95 % intervals over sounds.

    Returns the axes.
    """
    return _dots(canvas, _by_case(canvas, LISTENER_TRACKS))


@picture
def class_error(canvas: Canvas) -> Any:
    """Mean AD of each class of sound: of `by_class` where a head answers classes, else of the sounds' ids.

    Returns the axes.
    """
    found = []
    for design, look in canvas.pairs():
        each = [_ad_by_class(evaluation) for evaluation in design.evaluations]
        names = [name for name in each[0] if all(name in one for one in each)]
        rows = {name: (float(np.mean([one[name] for one in each])), None) for name in names}
        found.append((design, look, rows))
    if not any(rows for _, _, rows in found):
        raise NothingToDrawError("The records do not say of which class the sounds were.")
    return _dots(canvas, [one for one in found if one[2]])


def _ad_by_class(evaluation: Evaluation) -> dict[str, float]:
    if evaluation.by_class is not None:
        known = {n: f.get("ad_mean") for n, f in evaluation.by_class.items()}
        return {name: float(value) for name, value in known.items() if value is not None}
    sums: dict[str, tuple[float, int]] = {}
    by_sound = evaluation.by_sound
    for sound, ad, clips in zip(
        by_sound["sounds"], by_sound["ad_mean"], by_sound["clips"], strict=True
    ):
        match = _OF_THE_CORPUS.fullmatch(str(sound))
        if match is None:
            return {}
        total, count = sums.get(match["family"], (0.0, 0))
        sums[match["family"]] = (total + ad * clips, count + clips)
    return {name: total / count for name, (total, count) in sums.items()}


@picture
def frequency_error(canvas: Canvas) -> Any:
    """Mean AD of the sounds that have most of their energy in each octave band.

    The spectra are those of the embedded sounds themselves, before any room or ear, which their ids give
    again; runs on other sounds have none. Returns the axes.
    """
    found = []
    for design, look in canvas.pairs():
        each = [_ad_by_band(evaluation) for evaluation in design.evaluations]
        rows = {
            f"{band:,} Hz": (float(np.mean([one[band] for one in each])), None)
            for band in OCTAVES
            if all(band in one for one in each)
        }
        found.append((design, look, rows))
    if not any(rows for _, _, rows in found):
        raise NothingToDrawError(
            "The sounds are not those that ship with bastzoo, and records do not hold their spectra."
        )
    axes = _dots(canvas, [one for one in found if one[2]])
    axes.set_ylabel("loudest octave")
    return axes


def _ad_by_band(evaluation: Evaluation) -> dict[int, float]:
    """AD by the loudest octave band of the sounds; empty for sounds that are not the embedded ones."""
    by_sound = evaluation.by_sound
    bands = [loudest_octave(str(sound)) for sound in by_sound["sounds"]]
    if None in bands:
        return {}
    errors, clips = (np.asarray(by_sound[name], dtype=float) for name in ("ad_mean", "clips"))
    chosen = {band: np.array([one == band for one in bands]) for band in OCTAVES}
    return {
        band: float(np.average(errors[own], weights=clips[own]))
        for band, own in chosen.items()
        if own.any()
    }


@cache
def loudest_octave(sound: str) -> int | None:
    """The centre of the octave band in which an embedded sound has most energy, Hz; None for another sound.

    >>> loudest_octave("somebody's recording") is None
    True
    """
    match = _OF_THE_CORPUS.fullmatch(sound)
    if match is None:
        return None
    corpus = make_corpus([int(match["number"])], int(match["seed"]))
    if corpus.ids != (sound,):
        return None
    power = np.abs(np.fft.rfft(corpus.samples[0])) ** 2
    hertz = np.fft.rfftfreq(CLIP_SAMPLES, 1 / SAMPLE_RATE)
    half = math.sqrt(2)
    energy = [power[(hertz >= f / half) & (hertz < f * half)].sum() for f in OCTAVES]
    return OCTAVES[int(np.argmax(energy))]
