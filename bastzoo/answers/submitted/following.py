"""Do figures follow from predictions that were rounded on their way? Within what rounding can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bastzoo.engine.evaluation import Answers
from bastzoo.metrics.localization import angular_distance, counted, unit
from bastzoo.records.record import Evaluation

Figures = Mapping[str, float | int | None]

# An answer that is moved by an angle moves these by no more than that angle, or twice that (differences).
_DEGREES = {
    **dict.fromkeys(("ad_mean", "ad_median", "ad_p90", "lateral_error", "folded_ad"), 1.0),
    **dict.fromkeys(("elevation_error", "azimuth_error", "azimuth_rmse", "lateral_rmse"), 1.0),
    **dict.fromkeys(("azimuth_error_right_class", "lateral_bias"), 1.0),
    **dict.fromkeys(("hemifield_gap", "lateral_precision"), 2.0),
}
# These count answers near a limit: AD, or the frontal and the median plane (coordinate of the answer).
_WITHIN = {"acc_5": 5.0, "acc_10": 10.0, "acc_20": 20.0, "f20": 20.0, "er20": 20.0}
_ACROSS = {"front_back_rate": 0, "left_right_rate": 1}
_EXACT = ("clips", "invalid", "class_accuracy", "macro_f1")
# Azimuths move more than directions do: off the horizontal plane by up to 1 / cos(75 degrees).
_AZIMUTHS = ("azimuth_error", "azimuth_rmse", "azimuth_error_right_class")
_STEEP = 1 / np.cos(np.radians(75.0))


def unfollowed(
    then: Evaluation, now: Evaluation, answers: Answers, *, moved: float
) -> Iterator[tuple[str, object, object]]:
    """Where a record's figures differ from what rounded answers give: where, the record's, and what is found.

    moved: how far rounding may have moved an answer, degrees. Figures that hang on more than directions and
    classes (MSE, calibration, p values) are not looked at; `looked_at` says which are.
    """
    if then.clips != now.clips or list(then.by_room) != list(now.by_room):
        yield "clips", then.clips, now.clips
        return
    everything = np.ones(len(answers.directions), dtype=bool)
    parts = [("metrics", then.metrics, now.metrics, everything)]
    for room, name in enumerate(then.by_room):
        here = answers.rooms == room
        parts.append((f"by_room.{name}", then.by_room[name], now.by_room[name], here))
    for where, said, found, rows in parts:
        for name in looked_at(said):
            if name not in found:
                continue
            a, b, slack = said[name], found[name], _slack(name, answers, rows, moved)
            if (a is None) != (b is None) or (
                a is not None and b is not None and abs(a - b) > slack
            ):
                yield f"{where}.{name}", a, b
    if then.by_sound["sounds"] != now.by_sound["sounds"]:
        yield "by_sound.sounds", len(then.by_sound["sounds"]), len(now.by_sound["sounds"])
        return
    if then.by_sound["clips"] != now.by_sound["clips"]:
        yield "by_sound.clips", then.by_sound["clips"], now.by_sound["clips"]
    apart = np.subtract(then.by_sound["ad_mean"], now.by_sound["ad_mean"])
    if np.any(~(np.abs(apart) <= moved)):
        worst = int(np.nanargmax(np.abs(apart)))
        sound = then.by_sound["sounds"][worst]
        yield f"by_sound.{sound}", then.by_sound["ad_mean"][worst], now.by_sound["ad_mean"][worst]
    if len(then.by_azimuth) != len(now.by_azimuth):
        yield "by_azimuth", len(then.by_azimuth), len(now.by_azimuth)
        return
    for a_point, b_point in zip(then.by_azimuth, now.by_azimuth, strict=True):
        for name, slack in (("azimuth", 1e-3), ("count", 0), ("ad_mean", moved)):
            if abs((a_point[name] or 0) - (b_point[name] or 0)) > slack:
                yield f"by_azimuth.{name}", a_point[name], b_point[name]
                return


def looked_at(figures: Figures) -> list[str]:
    """The figures that rounded answers can be held against."""
    return [n for n in figures if n in _DEGREES or n in _WITHIN or n in _ACROSS or n in _EXACT]


def _slack(name: str, answers: Answers, rows: np.ndarray, moved: float) -> float:
    if name in _EXACT:
        return 1e-9
    if name in _DEGREES:
        steep = _STEEP if name in _AZIMUTHS and answers.directions[:, 2].any() else 1.0
        return _DEGREES[name] * steep * moved
    p, t = unit(answers.directions[rows]), unit(answers.targets[rows])
    if name in _WITHIN:
        ad = counted(angular_distance(p, t))
        return float(np.mean(np.abs(ad - _WITHIN[name]) <= moved + 1e-3)) + 1e-9
    axis = _ACROSS[name]
    angle = np.degrees(np.arcsin(np.clip(p[:, axis], -1, 1)))
    asked = np.abs(np.degrees(np.arcsin(np.clip(t[:, axis], -1, 1)))) >= 15.0 - 1e-3
    near = np.abs(angle[asked]) <= moved + 2e-3
    return float(np.mean(near)) + 1e-9 if asked.any() else 1e-9
